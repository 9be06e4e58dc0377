// Where ids of Gene Ontology and of yeast's genome database are explained. Other ids have no link.

const TERM = /^GO:\d{7}$/;
const GENE = /^(Y[A-P][LR]\d{3}[WC](-[A-Z])?|Q\d{4}|R\d{4}W)$/;

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

const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

export function shown(value, signed = false) {
  if (value === null) return "–";
  const text = NUMBER.format(value).replace("-", "−");
  return signed && value > 0 ? `+${text}` : text;
}

export function counted(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
