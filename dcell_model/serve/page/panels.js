// The tables beside the plot: the prediction, one term, and the terms that change most.

import { colour } from "./plot.js";
import { counted, element, geneAddress, outside, shown, termAddress } from "./elements.js";

const FIRST_ROWS = 15;
const FIRST_GENES = 40;

export function prediction(table, notes, { phenotypes, level, members }, answer) {
  const { genes, wild_type, predicted, singles, low, high, spread, unseen } = answer;
  table.replaceChildren(...phenotypes.map((name, p) => {
    const row = (title, values, className = "") => element("tr", { className },
      element("th", { scope: "row" }, title),
      element("td", {}, shown(values[p])),
      element("td", {}, values === wild_type ? ""
        : shown(difference(values[p], wild_type[p]), true)));
    const rows = [row("wild type", wild_type)];
    if (genes.length) {
      const all = genes.map(({ label }) => label).join(" ");
      rows.push(row(genes.length > 4 ? `all ${genes.length} genes` : all, predicted, "whole"));
    }
    const note = (title, text, help) => rows.push(element("tr", { className: "note", title: help },
      element("th", { scope: "row" }, title), element("td", { colSpan: 2 }, text)));
    if (genes.length && low) {
      note(`${Math.round(100 * level)} % interval`, `${shown(low[p])} to ${shown(high[p])}`,
        "holds for genotypes like those of training");
    }
    if (genes.length && spread) {
      note(`spread of ${members}`, shown(spread[p]),
        "standard deviation over the members of the ensemble; no interval");
    }
    if (genes.length > 1) {
      genes.forEach(({ label }, i) => rows.push(row(`${label} alone`, singles[i])));
    }
    return element("tbody", {}, element("tr", { className: "titles" }, element("td"),
      element("th", { scope: "col" }, name),
      element("th", { scope: "col", title: `${name}, less the wild type's` }, "change")), ...rows);
  }));
  const symbols = genes.filter(({ gene }) => unseen.includes(gene)).map(({ symbol }) => symbol);
  notes.textContent = symbols.length
    ? `Training never saw ${symbols.join(", ")} deleted: the interval does not hold.` : "";
}

function difference(value, from) {
  return value === null || from === null ? null : value - from;
}

export function details(container, tree, term, row, genes, visit, pick) {
  const id = tree.id[term];
  const facts = element("dl");
  const fact = (name, ...content) => facts.append(
    element("dt", {}, name), element("dd", {}, ...content));
  fact("id", outside(id, termAddress(id), "AmiGO"));
  fact("stratum", `${tree.stratum[term]}`);
  fact("genes", `${counted(tree.genes_contained[term], "gene", "genes")} contained, `
    + `${tree.genes_direct[term].toLocaleString("en")} annotated to the term itself`);
  if (row) {
    fact("state change", shown(row.state_change));
    fact("reached by", row.genes.map((i) => genes[i].label).join(" "));
  } else if (genes.length) fact("state change", "not touched: exactly the wild type");
  tree.phenotypes.forEach((name, p) => {
    const value = row ? row.predicted[p] : tree.wild_type[term][p];
    const change = row ? `, ${shown(row.change[p], true)} from the wild type` : "";
    fact(tree.phenotypes.length === 1 ? "own prediction" : `own ${name}`, `${shown(value)}${change}`);
  });
  const links = (terms) => element("ul", { className: "links" }, ...terms.map(
    (each) => element("li", {}, visitor(tree, each, visit))));
  if (tree.parents[term].length) fact("parents", links(tree.parents[term]));
  if (tree.children[term].length) fact("children", links(tree.children[term]));
  const direct = element("dd", { className: "genes" });
  if (tree.genes_direct[term]) facts.append(element("dt", {}, "annotated"), direct);
  container.replaceChildren(element("h3", { tabIndex: -1 }, tree.name[term]), facts);
  return (own) => annotated(direct, own, pick);
}

function annotated(container, genes, pick) {
  const made = genes.map(({ gene, symbol }) => element("span", { className: "gene" },
    outside(symbol, geneAddress(gene), "SGD"),
    element("button", {
      type: "button", title: `delete ${symbol}`, "aria-label": `delete ${symbol}`,
      onclick: () => pick(gene),
    }, "+")));
  container.replaceChildren(...made.slice(0, FIRST_GENES));
  if (made.length > FIRST_GENES) {
    container.append(more(`all ${made.length.toLocaleString("en")}`,
      () => container.replaceChildren(...made)));
  }
}

export function changes(container, tree, answer, most, visit) {
  const { terms, genes } = answer;
  if (!terms.length) {
    container.replaceChildren(element("p", { className: "quiet" }, genes.length
      ? "These deletions reach no term." : "Add a gene to see what its deletion changes."));
    return;
  }
  const several = tree.phenotypes.length > 1;
  const head = element("tr", {},
    ...["term", "state change", `change of own ${several ? tree.phenotypes[0] : "prediction"}`,
      "reached by"].map((name) => element("th", { scope: "col" }, name)));
  const row = (own) => {
    const bar = element("span", { className: "amount" });
    bar.style.width = `${most > 0 ? Math.round(100 * own.state_change / most) : 0}%`;
    bar.style.background = colour(own, most);
    return element("tr", {},
      element("th", { scope: "row" }, visitor(tree, own.term, visit),
        element("span", { className: "rest" }, tree.id[own.term])),
      element("td", { className: "bars" }, element("span", {}, shown(own.state_change)),
        element("span", { className: "track", "aria-hidden": "true" }, bar)),
      element("td", {}, shown(own.change[0], true)),
      element("td", { className: "who" }, own.genes.length === genes.length && genes.length > 3
        ? "all" : own.genes.map((i) => genes[i].label).join(" ")));
  };
  const body = element("tbody", {}, ...terms.slice(0, FIRST_ROWS).map(row));
  container.replaceChildren(element("table", {}, element("thead", {}, head), body));
  if (terms.length > FIRST_ROWS) {
    const button = more(`show all ${terms.length.toLocaleString("en")}`, () => {
      body.replaceChildren(...terms.map(row));
      button.remove();
    });
    container.append(button);
  }
}

export function path(list, tree, top, visit) {
  list.replaceChildren(...tree.path(top).map((term, i, all) => element("li", {},
    i === all.length - 1
      ? element("span", { "aria-current": "location" }, tree.name[term])
      : visitor(tree, term, visit))));
}

function visitor(tree, term, visit) {
  return element("button", {
    type: "button", className: "link", title: tree.id[term], onclick: () => visit(term),
  }, tree.name[term]);
}

function more(text, onclick) {
  return element("button", { type: "button", className: "more", onclick }, text);
}
