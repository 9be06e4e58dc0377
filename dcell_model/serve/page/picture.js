// The picture of the hierarchy: an icicle, the root at the left, coloured by state change.

import { counted, element, shown } from "./elements.js";

// cmocean's "matter" (Thyng et al. 2016): even in lightness, so that no one needs hues to read it.
const SCALE = [
  "#fdedb0", "#facd91", "#f6ad77", "#f08e62", "#e76d54", "#d85053", "#c3385a", "#a82860",
  "#8a1d63", "#6b185d", "#4c1550", "#2f0f3d",
];
const UNTOUCHED = "#eceef1";
const INK = "#1f2328";
const COLUMN = 132; // pixels that a level needs for its names
const ROW = 17; // and that a term needs
const HEIGHT = 520;

// `top`, `selected`: terms; `touched`: Map of a term's row; `most`: the greatest state change;
// `only`: draw what is touched alone.
export function draw(container, tree, { top, selected, touched, most, only }, choose) {
  const within = only ? (term) => touched.has(term) : () => true;
  const leaves = tree.leaves(within);
  const levels = Math.max(3, Math.floor(container.clientWidth / COLUMN));
  const shownTerms = tree.below(top, levels, within);
  const last = new Set(shownTerms);
  const height = only ? Math.max(HEIGHT, leaves[top] * ROW) : HEIGHT;
  container.style.height = `${height}px`;
  const colours = shownTerms.map((term) => colour(touched.get(term), most));
  const trace = {
    type: "icicle",
    ids: shownTerms.map(String),
    parents: shownTerms.map((term) => (term === top ? "" : String(tree.primary[term]))),
    values: shownTerms.map((term) => leaves[term]),
    labels: shownTerms.map((term) => plain(tree.name[term])),
    text: shownTerms.map((term) => label(tree, term, within, last)),
    hovertext: shownTerms.map((term) => hover(tree, term, touched.get(term))),
    branchvalues: "total",
    textinfo: "text",
    hoverinfo: "text",
    sort: false,
    tiling: { orientation: "h", pad: 1 },
    pathbar: { visible: false },
    textposition: "middle left",
    insidetextfont: { size: 12, color: shownTerms.map((term) => ink(touched.get(term), most)) },
    marker: {
      colors: colours,
      line: {
        width: shownTerms.map((term) => (term === selected ? 3 : 0)),
        color: shownTerms.map((term) => (term === selected ? "#0072b2" : "#ffffff")),
      },
    },
    root: { color: "#ffffff" },
  };
  const layout = {
    width: container.clientWidth,
    height,
    margin: { t: 2, r: 2, b: 2, l: 2 },
    paper_bgcolor: "#ffffff",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: INK },
    hoverlabel: { bgcolor: "#ffffff", bordercolor: "#9aa0a6", align: "left",
      font: { size: 12, color: INK } },
    uniformtext: { minsize: 10, mode: "hide" },
  };
  Plotly.react(container, [trace], layout, { displayModeBar: false });
  container.removeAllListeners?.("plotly_icicleclick");
  container.on("plotly_icicleclick", ({ points: [point] }) => {
    choose(Number(point.id));
    return false; // the page zooms, not Plotly
  });
}

export function legend(container, most, touched) {
  container.replaceChildren();
  if (touched) {
    const bar = element("span", { className: "scale" });
    bar.style.background = `linear-gradient(to right, ${SCALE.join(", ")})`;
    container.append(
      element("span", { className: "scale-title" },
        "state change: root mean square over the term's neurons"),
      element("span", { className: "scale-row" }, "0 ", bar, ` ${shown(most)}`));
  }
  const grey = element("span", { className: "swatch" });
  grey.style.background = UNTOUCHED;
  container.append(element("span", { className: "scale-row" }, grey,
    touched ? " not touched: exactly the wild type" : " wild type: nothing is deleted"));
}

export function colour(row, most) {
  if (!row) return UNTOUCHED;
  const place = most > 0 ? Math.min(1, (row.state_change ?? 0) / most) * (SCALE.length - 1) : 0;
  const low = Math.min(Math.floor(place), SCALE.length - 2);
  const [from, to] = [SCALE[low], SCALE[low + 1]].map(channels);
  const mixed = from.map((value, i) => Math.round(value + (to[i] - value) * (place - low)));
  return `rgb(${mixed.join(",")})`;
}

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Of black and white the one that stands out more.
function ink(row, most) {
  const light = colour(row, most).startsWith("#") ? 1 : luminance(colour(row, most));
  return light > 0.22 ? INK : "#ffffff";
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

function label(tree, term, within, drawn) {
  const hidden = tree.drawn[term].filter(within).filter((child) => !drawn.has(child)).length;
  const name = tree.name[term];
  return plain(name) + (hidden ? ` +${hidden}` : "");
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
    const change = row ? ` (wild type ${shown(row.change[p], true)})` : "";
    lines.push(`${plain(name)}, its own head: ${shown(value)}${change}`);
  });
  if (!row) lines.push("as in the wild type");
  return lines.join("<br>");
}
