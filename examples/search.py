# python3 search.py photo.jpg
import base64, json, sys, urllib.request

body = {"image": base64.b64encode(open(sys.argv[1], "rb").read()).decode(), "top": 5}
request = urllib.request.Request("http://localhost:8080/v1/search", json.dumps(body).encode(), {"Content-Type": "application/json"})
for result in json.load(urllib.request.urlopen(request))["results"]:
    print(result["similarity"], result["product"]["title"])
