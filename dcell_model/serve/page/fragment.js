// What is looked at, kept in the address: #genes=A,B&term=GO:0006281&all=1

export function read() {
  const parts = new Map();
  for (const part of location.hash.slice(1).split("&")) {
    const [name, value = ""] = part.split(/=(.*)/s);
    parts.set(name, value);
  }
  const genes = (parts.get("genes") ?? "").split(",").map(decoded).filter(Boolean);
  return {
    genes: [...new Set(genes)],
    term: decoded(parts.get("term") ?? ""),
    only: parts.get("all") !== "1",
  };
}

export function write(state, { replace = false } = {}) {
  const parts = [];
  if (state.genes.length) parts.push(`genes=${state.genes.map(encodeURIComponent).join(",")}`);
  if (state.term) parts.push(`term=${encodeURIComponent(state.term).replaceAll("%3A", ":")}`);
  if (!state.only) parts.push("all=1");
  const hash = `#${parts.join("&")}`;
  if (replace) history.replaceState(null, "", hash);
  else location.hash = hash;
}

function decoded(text) {
  try {
    return decodeURIComponent(text).trim();
  } catch { // a lone % that someone typed
    return text.trim();
  }
}
