#!/bin/sh
# search.sh PHOTO [KEY]
curl -fsS ${2:+-H "Authorization: Bearer $2"} -F "image=@$1" -F top=5 http://localhost:8080/v1/search
