// The PNG button of a plot: copy the SVG with the styles it has on the page, draw the copy on a canvas, save the picture.
// An SVG that is loaded as a picture knows no stylesheet of the page, so its styles become presentation attributes.
const COPIED = [
  "fill", "stroke", "stroke-width", "stroke-linejoin", "opacity", "font-family", "font-size", "font-weight", "text-anchor",
];
const SCALE = 2, MARGIN = 16, TITLE = 28;
const SVG = "http://www.w3.org/2000/svg";

function withStyles(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  for (const [index, element] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(originals[index]);
    for (const name of COPIED) element.setAttribute(name, style.getPropertyValue(name));
    element.removeAttribute("class");
  }
  for (const tip of copy.querySelectorAll("rect > title")) tip.remove();
  return copy;
}

function backgroundOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (color && color !== "transparent" && !color.endsWith(", 0)") && !color.endsWith("/ 0)")) return color;
  }
  return document.documentElement.classList.contains("dark") ? "#111827" : "#ffffff";
}

// The plot with its title above and the page's background behind it, as the text of an SVG document.
function documentOf(figure) {
  const svg = figure.querySelector("[data-plot-svg] svg");
  const { width, height } = svg.viewBox.baseVal;
  const caption = figure.querySelector("figcaption strong");
  const inner = withStyles(svg);
  inner.setAttribute("x", MARGIN);
  inner.setAttribute("y", MARGIN + TITLE);
  inner.setAttribute("width", width);
  inner.setAttribute("height", height);
  const outer = document.createElementNS(SVG, "svg");
  const size = [width + 2 * MARGIN, height + 2 * MARGIN + TITLE];
  outer.setAttribute("width", SCALE * size[0]);
  outer.setAttribute("height", SCALE * size[1]);
  outer.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  const back = document.createElementNS(SVG, "rect");
  for (const [name, value] of [["width", size[0]], ["height", size[1]], ["fill", backgroundOf(figure)]]) back.setAttribute(name, value);
  const title = document.createElementNS(SVG, "text");
  const style = getComputedStyle(caption);
  for (const [name, value] of [["x", MARGIN], ["y", MARGIN + 12], ["fill", style.color], ["font-family", style.fontFamily], ["font-size", 15], ["font-weight", 600]]) title.setAttribute(name, value);
  title.textContent = caption.textContent;
  outer.append(back, title, inner);
  return { text: new XMLSerializer().serializeToString(outer), size };
}

async function pictureOf(figure) {
  const { text, size } = documentOf(figure);
  const image = new Image();
  // the page's policy lets pictures come from data: and not from blob:
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size.map((side) => Math.round(SCALE * side));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function save(figure) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await pictureOf(figure));
  link.download = `${figure.dataset.plot}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// one listener for the document: a plot that is drawn later has its button, too
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-plot-png]");
  if (button) save(button.closest("[data-plot]"));
});
for (const button of document.querySelectorAll("[data-plot-png]")) button.hidden = false;
