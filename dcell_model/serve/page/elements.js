// Where ids of Gene Ontology and of yeast's genome database are explained. Other ids have no link.

const TERM = /^GO:\d{7}$/;
const GENE = /^(Y[A-P][LR]\d{3}[WC](-[A-Z])?|Q\d{4}|R\d{4}[WC])$/;

export function termAddress(id) {
  return TERM.test(id) ? `https://amigo.geneontology.org/amigo/term/${id}` : null;
}

export function geneAddress(gene) {
  return GENE.test(gene) ? `https://www.yeastgenome.org/locus/${gene}` : null;
}

// Elements are made by this alone: what comes from a model is text, never markup.
export function element(tag, properties = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "scope") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...content.filter((part) => part !== null));
  return made;
}

// A link out of the page, or the plain text where there is nowhere to go.
export function outside(text, address, site) {
  if (address === null) return element("span", {}, text);
  return element("a", {
    href: address, target: "_blank", rel: "noopener noreferrer", title: `${text} at ${site}`,
  }, text);
}

const SMALL = 1e-5;
const NUMBER = { minimumSignificantDigits: 4, maximumSignificantDigits: 4 };
const CHANGE = {
  minimumSignificantDigits: 3, maximumSignificantDigits: 3, signDisplay: "exceptZero",
};

// A number as a person reads it; one that is not finite comes as null, and is a dash.
export function shown(value, isChange = false) {
  if (value === null) return "–";
  const notation = value !== 0 && Math.abs(value) < SMALL ? "scientific" : "standard";
  const style = { ...(isChange ? CHANGE : NUMBER), notation };
  return value === 0 ? "0" : value.toLocaleString("en", style).replaceAll("-", "−");
}

export function counted(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
