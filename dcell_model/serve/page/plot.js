// The plot of the hierarchy: an icicle, the root at the left, coloured by state change.

import { counted, element, shown } from "./elements.js";

// cmocean's "matter" (Thyng et al. 2016): even in lightness, so that no one needs hues to read it.
const SCALE = [
  "#fdedb0", "#facd91", "#f6ad77", "#f08e62", "#e76d54", "#d85053", "#c3385a", "#a82860",
  "#8a1d63", "#6b185d", "#4c1550", "#2f0f3d",
];
// The page's own colours, in a light scheme or a dark one.
const page = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const COLUMN = 124; // pixels that a level needs for its names
const ROW = 20; // and that a term needs
const HEIGHT = 560;
const LEAST_HEIGHT = 240;
const THINNEST = 1; // thinner terms are left out, unless they are touched
const FONT = 11;
const LINE = 1.3 * FONT; // Plotly's
const MARGIN = 8; // what Plotly leaves free around a text, both sides together

// `top`, `selected`: terms; `touched`: Map of a term's row; `most`: the greatest state change;
// `only`: draw what is touched alone.
export function draw(container, tree, { top, selected, touched, most, only }, choose) {
  const levels = Math.max(3, Math.floor(container.clientWidth / COLUMN));
  const among = only ? (term) => touched.has(term) : () => true;
  // What is touched has a row for each name; else a term is as tall as all that lies below it.
  let leaves = tree.leaves(among);
  const thick = (term) => HEIGHT * leaves[term] / leaves[top] >= THINNEST;
  const shownTerms = tree.below(top, levels,
    only ? among : (term) => thick(term) || touched.has(term));
  const drawn = new Set(shownTerms);
  if (only) leaves = tree.leaves((term) => drawn.has(term));
  const height = only ? Math.max(LEAST_HEIGHT, leaves[top] * ROW) : HEIGHT;
  container.style.height = `${height}px`;
  const depth = Math.max(...shownTerms.map((term) => tree.path(term).length))
    - tree.path(top).length + 1;
  const room = container.clientWidth / depth - MARGIN;
  const font = getComputedStyle(document.body).fontFamily;
  const label = labels(tree, among, drawn, room, `${FONT}px ${font}`);
  const pixels = (term) => height * leaves[term] / leaves[top] - MARGIN;
  const inks = shownTerms.map((term) => ink(touched.get(term), most));
  const colours = shownTerms.map((term) => colour(touched.get(term), most));
  const trace = {
    type: "icicle",
    ids: shownTerms.map(String),
    parents: shownTerms.map((term) => (term === top ? "" : String(tree.primary[term]))),
    values: shownTerms.map((term) => leaves[term]),
    labels: shownTerms.map((term) => plain(tree.name[term])),
    text: shownTerms.map((term) => label(term, pixels(term))),
    hovertext: shownTerms.map((term) => hover(tree, term, touched.get(term))),
    branchvalues: "total",
    textinfo: "text",
    hoverinfo: "text",
    sort: false,
    tiling: { orientation: "h", pad: 1 },
    pathbar: { visible: false },
    textposition: "top left",
    leaf: { opacity: 1 },
    insidetextfont: { size: FONT, color: inks },
    outsidetextfont: { size: FONT, color: inks }, // the first one's
    marker: {
      colors: colours,
      line: {
        width: shownTerms.map((term) => (term === selected ? 3 : 0)),
        color: shownTerms.map((term) => (term === selected ? page("accent") : page("paper"))),
      },
    },
    root: { color: page("paper") },
  };
  const layout = {
    width: container.clientWidth,
    height,
    margin: { t: 2, r: 2, b: 2, l: 2 },
    paper_bgcolor: page("paper"),
    font: { family: font, size: 12, color: page("ink") },
    hoverlabel: { bgcolor: page("paper"), bordercolor: page("edge"), align: "left",
      font: { size: 12, color: page("ink") } },
  };
  // Drawn anew: Plotly.react would leave the label that the pointer was over.
  Plotly.newPlot(container, [trace], layout, { displayModeBar: false });
  container.on("plotly_icicleclick", ({ points: [point] }) => {
    choose(Number(point.id));
    return false; // the page zooms, not Plotly
  });
}

export function legend(container, { most, touched, only }) {
  container.replaceChildren();
  if (touched.size) {
    const bar = element("span", { className: "scale" });
    bar.style.background = `linear-gradient(to right, ${SCALE.join(", ")})`;
    container.append(
      element("span", { className: "scale-title" },
        "state change (r.m.s. over a term's neurons)"),
      element("span", { className: "scale-row" }, "0 ", bar, ` ${shown(most)}`));
  }
  if (only) return;
  const grey = element("span", { className: "swatch" });
  grey.style.background = page("untouched");
  container.append(element("span", { className: "scale-row" }, grey, " as in the wild type"));
}

export function colour(row, most) {
  if (!row) return page("untouched");
  const place = most > 0 ? Math.min(1, (row.state_change ?? 0) / most) * (SCALE.length - 1) : 0;
  const low = Math.min(Math.floor(place), SCALE.length - 2);
  const [from, to] = [SCALE[low], SCALE[low + 1]].map(channels);
  const mixed = from.map((value, i) => Math.round(value + (to[i] - value) * (place - low)));
  return `rgb(${mixed.join(",")})`;
}

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Of black and white the one that stands out more: at 0.18 both do so by 4.6 to 1.
function ink(row, most) {
  if (!row) return page("ink");
  return luminance(colour(row, most)) > 0.18 ? "#000000" : "#ffffff";
}

function luminance(rgb) {
  const linear = rgb.match(/\d+/g).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

// Plotly reads <b>, <a …> and entities in texts; a name is to be taken as it is.
function plain(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

// Names in as many lines as there is room for, cut short where there is too little. `+3` says that
// three children lie below, where none is drawn.
function labels(tree, among, drawn, width, font) {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.font = font;
  const fits = (text) => canvas.measureText(text).width <= width;
  const cut = (text, end) => {
    if (fits(text + end)) return text + end;
    let length = text.length;
    while (length > 0 && !fits(`${text.slice(0, length)}…${end}`)) length--;
    return length ? `${text.slice(0, length).trimEnd()}…${end}` : "";
  };
  return (term, height) => {
    const rows = Math.floor((height + LINE - FONT) / LINE);
    if (rows < 1) return "";
    const children = tree.drawn[term].filter(among);
    const hidden = children.some((child) => drawn.has(child)) ? 0 : children.length;
    const lines = [];
    const words = tree.name[term].split(" ");
    while (words.length) {
      let line = words.shift();
      const last = lines.length + 1 === rows;
      while (words.length && (last || fits(`${line} ${words[0]}`))) line += ` ${words.shift()}`;
      lines.push(cut(line, words.length || !hidden ? "" : ` +${hidden}`));
      if (last) break;
    }
    return lines.map(plain).join("<br>");
  };
}

function hover(tree, term, row) {
  const lines = [
    `<b>${plain(tree.name[term])}</b>`,
    plain(tree.id[term]),
    `stratum ${tree.stratum[term]}, ${counted(tree.genes_contained[term], "gene", "genes")}`,
  ];
  if (row) lines.push(`state change ${shown(row.state_change)}`);
  tree.phenotypes.forEach((name, p) => {
    const value = row ? row.predicted[p] : tree.wild_type[term][p];
    const change = row ? `, ${shown(row.change[p], true)} from the wild type` : "";
    lines.push(`own prediction of ${plain(name)} ${shown(value)}${change}`);
  });
  if (!row) lines.push("as in the wild type");
  return lines.join("<br>");
}
