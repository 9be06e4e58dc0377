// The page: what the address says is fetched, drawn and told; what the user does changes it.

import { combobox } from "./combobox.js";
import { counted, element, geneAddress, outside } from "./elements.js";
import * as fragment from "./fragment.js";
import * as panels from "./panels.js";
import { draw, legend } from "./plot.js";
import { Tree } from "./tree.js";

const at = (id) => document.getElementById(id);
const SUGGESTED = 10;
let tree, model;
let asked = null; // the genes whose answer is shown or on its way
let pending, answer;
let told; // the answer that chips and tables are of
let shownState = { genes: [], term: "", only: true }; // what the page shows now

async function get(path, parameters = []) {
  let response;
  try {
    response = await fetch(`api/${path}?${new URLSearchParams(parameters)}`);
  } catch {
    throw new Error("no answer: is `dcell serve` still running?");
  }
  const content = await response.json();
  if (!response.ok) throw new Error(content.error);
  return content;
}

function problem(message) {
  at("problem").textContent = message ?? "";
  at("problem").hidden = !message;
}

async function follow() {
  const { genes } = fragment.read();
  const key = JSON.stringify(genes);
  if (key !== asked) {
    asked = key;
    pending = get("genotype", genes.map((name) => ["gene", name]));
  }
  try {
    const found = await pending;
    if (asked !== key) return; // the user went on to other genes
    answer = found;
    problem();
  } catch (error) {
    if (asked !== key) return;
    asked = null;
    problem(error.message);
    if (!answer) at("note").textContent = "";
    return;
  }
  const state = fragment.read(); // the user may be at another term by now
  const names = [...answer.genes.map(({ name }) => name), ...answer.unknown.map(({ name }) => name)];
  if (JSON.stringify(names) !== key) { // one name for each gene, whatever was typed
    state.genes = names;
    asked = JSON.stringify(names);
    fragment.write(state, { replace: true });
  }
  show(state);
}

function show(state) {
  shownState = state;
  const touched = new Map(answer.terms.map((row) => [row.term, row]));
  const most = answer.terms[0]?.state_change ?? 0;
  const selected = tree.index.get(state.term) ?? 0;
  const only = state.only && touched.size > 0 && touched.has(selected);
  const below = tree.drawn[selected].some((child) => !only || touched.has(child));
  const top = below || selected === 0 ? selected : tree.primary[selected];

  if (answer !== told) { // else they stay as they are, with their focus
    told = answer;
    chips();
    panels.prediction(at("prediction"), at("unseen"), model, answer);
    panels.changes(at("changes"), tree, answer, most, visit);
  }
  const moved = [at("path"), at("details")].some((each) => each.contains(document.activeElement));
  panels.path(at("path"), tree, top, visit);
  at("only").checked = state.only;
  at("only").disabled = touched.size === 0;
  at("note").textContent = note(state, touched, selected);
  const view = { top, selected, touched, most, only };
  draw(at("plot"), tree, view, (term) => {
    visit(term === top && top > 0 ? tree.primary[top] : term);
  });
  legend(at("legend"), view);
  const annotate = panels.details(at("details"), tree, selected, touched.get(selected),
    answer.genes, visit, pick);
  if (tree.genes_direct[selected]) {
    get("term", [["id", tree.id[selected]]]).then(({ genes }) => annotate(genes),
      (error) => problem(error.message));
  }
  if (moved) at("details").querySelector("h3").focus({ preventScroll: true });
}

function note(state, touched, selected) {
  if (state.term && !tree.index.has(state.term)) return `The hierarchy has no term ${state.term}.`;
  if (!touched.size) return "Nothing is deleted: all terms are as in the wild type.";
  const terms = `${counted(touched.size, "term", "terms")} of ${tree.size.toLocaleString("en")}`;
  if (state.only && !touched.has(selected)) {
    return `The deletions touch ${terms}, but not this one, so all terms are shown.`;
  }
  return `The deletions touch ${terms}.`;
}

function chips() {
  const remove = (name, shown) => element("button", {
    type: "button", "aria-label": `Remove ${shown}`, title: `Remove ${shown}`,
    onclick: () => {
      change({ genes: wanted().genes.filter((each) => each !== name) });
      at("gene").focus();
    },
  }, "×");
  at("chips").replaceChildren(...answer.genes.map(({ gene, symbol, label, name }) => element("li", {},
    outside(label, geneAddress(gene), "SGD"),
    symbol === gene ? null : element("span", { className: "rest" }, gene), remove(name, label))));
  const instead = (name, near) => element("button", {
    type: "button", className: "link near",
    onclick: () => change({
      genes: wanted().genes.map((own) => (own === name ? near : own)),
    }),
  }, near);
  at("unknown").replaceChildren(...answer.unknown.map(({ name, reason, near }) => element("li", {},
    element("span", {}, `${reason}; taken as wild type.`, near.length ? " Near: " : null,
      ...near.map((each) => instead(name, each))),
    remove(name, name))));
}

// What a change is made to: what was asked for, shown already or not; after an error, what is shown.
function wanted() {
  return asked === null ? shownState : fragment.read();
}

function change(changes) {
  fragment.write({ ...wanted(), ...changes });
}

function visit(term) {
  change({ term: term === 0 ? "" : tree.id[term] });
  const { top } = at("hierarchy").getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) at("hierarchy").scrollIntoView();
}

function pick(...names) {
  change({ genes: [...new Set([...wanted().genes, ...names])] });
}

function listen() {
  const genes = combobox(at("gene"), at("gene-list"), async (text) => {
    try {
      return (await get("genes", [["text", text]])).map(({ gene, symbol, name, value }) => ({
        main: symbol, rest: name === symbol ? gene : `${gene}, ${name}`, value,
      }));
    } catch (error) {
      problem(error.message);
      return [];
    }
  }, pick);
  at("gene-form").addEventListener("submit", (event) => {
    event.preventDefault();
    // As in `dcell predict`: several names may be pasted at once.
    const names = at("gene").value.split(/[\s,|;]+/).filter(Boolean);
    at("gene").value = "";
    genes.close();
    if (names.length) pick(...names);
  });
  const find = (text) => tree.search(text, SUGGESTED).map((term) => ({
    main: tree.name[term], rest: tree.id[term], value: term,
  }));
  const terms = combobox(at("term"), at("term-list"), async (text) => find(text), visit);
  at("term-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = at("term").value.trim();
    const [first] = find(text);
    if (first) {
      at("term").value = "";
      terms.close();
      visit(first.value);
    } else if (text) at("note").textContent = `No term has ${text} in its id or name.`;
  });
  at("only").addEventListener("change", () => change({ only: at("only").checked }));
  window.addEventListener("hashchange", follow);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    told = null; // what is there has the colours of the other scheme
    if (answer) show(shownState);
  });
  let width = at("plot").clientWidth;
  new ResizeObserver(() => {
    if (at("plot").clientWidth === width) return;
    width = at("plot").clientWidth;
    if (answer) show(shownState);
  }).observe(at("plot"));
}

async function start() {
  try {
    model = await get("model");
  } catch (error) {
    problem(error.message);
    return;
  }
  tree = new Tree({ ...model.terms, phenotypes: model.phenotypes });
  const size = `${counted(tree.size, "term", "terms")}, ${counted(model.genes, "gene", "genes")}`;
  at("about").textContent = `${model.title}: ${size}; predicts ${model.phenotypes.join(", ")}`;
  document.title = `${model.title} – DCell`;
  listen();
  await follow();
}

start();
