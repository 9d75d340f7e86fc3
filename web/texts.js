// SPDX-License-Identifier: Apache-2.0
// What the page says, in each language it speaks.
const texts = {
  en: {
    title: 'Find it by photo', lead: 'Show us a picture of something you like. We look through the whole shop for what resembles it.',
    drop: 'Drop a photo here, paste one, or', choose: 'Choose a photo', camera: 'Use the camera',
    'crop-hint': 'Drag the frame around what you mean. Arrow keys move it, Shift with arrow keys sizes it.',
    another: 'Another photo', whole: 'Whole photo', clear: 'Start over', filters: 'Filters', sort: 'Order',
    more: 'Show more', skip: 'Skip to results', close: 'Close', ok: 'Go on', key: 'Key',
    'key-title': 'This shop needs a key', 'key-text': 'Whoever runs the shop can give you one. It is kept until you close this tab.',
    all: 'Everything in the shop', found: 'Looks like it', similar: 'Similar products', products: n => `${n} product${n === 1 ? '' : 's'}`,
    searching: 'Looking …', matched: (n, m) => `${n} of ${m} products`, like: 'More like this', unlike: 'Less like this', 'more-short': 'More', 'less-short': 'Less', why: 'Why?',
    'why-title': name => `Why “${name}”?`, 'why-text': p => `It is ${p} % similar. What you showed adds up to that:`,
    remove: 'Remove', photo: 'Your photo', frame: 'Part of the photo that is searched with', shop: 'To the shop', details: 'Details',
    none: 'Nothing here looks enough like it', 'none-text': 'Try another part of the photo, or fewer filters.',
    'no-image': 'That is no picture this browser can read.', failed: 'That did not work', reset: 'Clear filters', price: 'Price', from: 'from', to: 'to',
    'order-new': 'As they came in', 'order-low': 'Price, low to high', 'order-high': 'Price, high to low', 'order-like': 'Most similar first', 'order-words': 'Best match first', 'order-title': 'Title, A to Z',
    words: 'In words', find: 'Find', 'found-words': 'Has these words', 'none-words': 'No product has these words',
    similarity: p => `${p} % similar`, language: '中文', other: 'zh', category: 'Category', brand: 'Brand', color: 'Colour', material: 'Material', pattern: 'Pattern',
  },
  zh: {
    title: '以图找货', lead: '给我们看一张您喜欢的东西的照片，我们会在整个商店里寻找相似的商品。',
    drop: '把照片拖到这里、粘贴，或者', choose: '选择照片', camera: '拍照',
    'crop-hint': '拖动方框圈出您要找的东西。方向键移动，Shift 加方向键改变大小。',
    another: '换一张照片', whole: '整张照片', clear: '重新开始', filters: '筛选', sort: '排序',
    more: '显示更多', skip: '跳到结果', close: '关闭', ok: '继续', key: '密钥',
    'key-title': '此商店需要密钥', 'key-text': '请向商店管理者索取。关闭标签页后不再保留。',
    all: '全部商品', found: '相似商品', similar: '相似商品', products: n => `${n} 件商品`,
    searching: '正在寻找……', matched: (n, m) => `${m} 件中的 ${n} 件`, like: '更像这个', unlike: '少像这个', 'more-short': '更像', 'less-short': '少像', why: '为什么？',
    'why-title': name => `为什么是“${name}”？`, 'why-text': p => `相似度 ${p}%，由以下各项相加而成：`,
    remove: '移除', photo: '您的照片', frame: '用于搜索的部分', shop: '前往商店', details: '详情',
    none: '没有足够相似的商品', 'none-text': '换照片的另一部分试试，或减少筛选条件。',
    'no-image': '浏览器无法读取这张图片。', failed: '出错了', reset: '清除筛选', price: '价格', from: '从', to: '到',
    'order-new': '上架顺序', 'order-low': '价格从低到高', 'order-high': '价格从高到低', 'order-like': '最相似优先', 'order-words': '最匹配优先', 'order-title': '按名称',
    words: '用文字', find: '查找', 'found-words': '含有这些文字的商品', 'none-words': '没有商品含有这些文字',
    similarity: p => `相似度 ${p}%`, language: 'English', other: 'en', category: '类别', brand: '品牌', color: '颜色', material: '材质', pattern: '图案',
  },
};

const asked = new URLSearchParams(location.search).get('lang');
let current = asked || localStorage.getItem('language') || (navigator.language.startsWith('zh') ? 'zh' : 'en');
if (!texts[current]) current = 'en';

export const t = (name, ...values) => {
  const text = texts[current][name] ?? name;
  return typeof text === 'function' ? text(...values) : text;
};

// Texts of a page of its own: { en: {...}, zh: {...} }.
export function addTexts(more) {
  for (const name of Object.keys(texts)) Object.assign(texts[name], more[name]);
}

export function language(next) {
  if (next && texts[next]) {
    current = next;
    localStorage.setItem('language', next);
  }
  document.documentElement.lang = current;
  for (const node of document.querySelectorAll('[data-text]')) node.textContent = t(node.dataset.text);
  return current;
}
