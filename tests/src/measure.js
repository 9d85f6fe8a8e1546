// Measures a page as it is shown, and leaves what it found as base64 of JSON in #measured.
const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
const isSeen = (colour) => colour.startsWith("rgb") && channels(colour)[3] !== 0;
const luminance = (colour) => {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = channels(colour).map((c) => linear(c / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
// What is painted behind an element: of a drawing, whatever is under the middle of `box`.
const behind = (element, box) => {
  if (element instanceof SVGElement) {
    const at = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const shape = at.find((one) =>
      ["rect", "circle", "polygon"].includes(one.tagName) && isSeen(getComputedStyle(one).fill));
    if (shape) return getComputedStyle(shape).fill;
  }
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if (isSeen(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const textIn = (element) =>
  [...element.childNodes].find((node) => node.nodeType === 3 && node.data.trim());
const texts = [...document.querySelectorAll("body *")].filter(textIn);
const shown = texts.filter((element) => element.getBoundingClientRect().width > 0);
const faint = shown.map((element) => {
  const style = getComputedStyle(element);
  const colour = element instanceof SVGElement ? style.fill : style.color;
  const range = document.createRange();
  range.selectNode(textIn(element));
  const box = range.getClientRects()[0] ?? element.getBoundingClientRect();
  return { text: element.textContent.trim(), contrast: contrast(colour, behind(element, box)) };
}).filter((found) => found.contrast < 4.5);
const meets = (a, b) =>
  a.left + 1 < b.right && b.left + 1 < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom;
const charts = [...document.querySelectorAll("svg")].map((svg) => {
  const box = svg.getBoundingClientRect();
  const words = [...svg.querySelectorAll("text")].map((text) =>
    ({ text: text.textContent.trim(), box: text.getBoundingClientRect() }));
  const drawn = [...svg.querySelectorAll("rect, circle, polyline, path, polygon")];
  const outside = ({ box: b }) =>
    b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 1 || b.bottom > box.bottom + 1;
  const overlapping = words.flatMap((one, n) =>
    words.slice(n + 1).filter((other) => meets(one.box, other.box)).map((other) => [one.text, other.text]));
  return {
    title: svg.querySelector("title").textContent,
    about: svg.querySelector("desc").textContent,
    width: box.width,
    height: box.height,
    words: words.length,
    shapes: drawn.filter((shape) => shape.getBoundingClientRect().width > 0).length,
    outside: words.filter(outside).map(({ text }) => text),
    overlapping,
  };
});
const measured = document.createElement("pre");
measured.id = "measured";
const found = {
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  width: innerWidth,
  tooWide: document.documentElement.scrollWidth > innerWidth,
  scripts: document.scripts.length,
  resources: performance.getEntriesByType("resource").length,
  headline: document.querySelector("h1").textContent,
  words: document.querySelector("main").innerText,
  texts: shown.length,
  faint,
  charts,
};
measured.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(found))));
document.body.append(measured);
