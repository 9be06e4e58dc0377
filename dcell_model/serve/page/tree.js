// The hierarchy as it is drawn: a tree in which every term stands once, under its primary parent.

export class Tree {
  constructor(terms) {
    Object.assign(this, terms); // columns: id, name, stratum, primary, parents, …
    this.size = this.id.length;
    this.index = new Map(this.id.map((id, term) => [id, term]));
    this.drawn = this.id.map(() => []); // children under their primary parent
    this.children = this.id.map(() => []); // all of them
    for (let term = 1; term < this.size; term++) {
      this.drawn[this.primary[term]].push(term);
      for (const parent of this.parents[term]) this.children[parent].push(term);
    }
    const byName = (a, b) => this.name[a].localeCompare(this.name[b], "en");
    for (const own of [...this.drawn, ...this.children]) own.sort(byName);
  }

  // From the root to the term.
  path(term) {
    const path = [];
    for (let each = term; each >= 0; each = this.primary[each]) path.unshift(each);
    return path;
  }

  // Leaves below every term of a set that holds the ancestors of each of its terms; a leaf has 1.
  leaves(within) {
    const leaves = new Array(this.size).fill(0);
    for (let term = this.size - 1; term >= 0; term--) { // children have greater numbers
      if (!within(term)) continue;
      leaves[term] ||= 1;
      if (term > 0) leaves[this.primary[term]] += leaves[term];
    }
    return leaves;
  }

  // The terms of a set from one term down, so many levels, parents first.
  below(top, levels, within) {
    const found = [top];
    let level = [top];
    for (let depth = 1; depth < levels && level.length; depth++) {
      level = level.flatMap((term) => this.drawn[term].filter(within));
      found.push(...level);
    }
    return found;
  }

  // Terms whose id or name has the text, the likest first: the id, the name, how names begin.
  search(text, count) {
    const sought = text.toLowerCase();
    if (!sought) return [];
    const found = [];
    for (let term = 0; term < this.size; term++) {
      const id = this.id[term].toLowerCase();
      const name = this.name[term].toLowerCase();
      const place = name.indexOf(sought);
      if (id === sought || name === sought) found.push([0, term]);
      else if (place === 0 || id.endsWith(sought)) found.push([1, term]);
      else if (place > 0 && name[place - 1] === " ") found.push([2, term]);
      else if (place > 0 || id.includes(sought)) found.push([3, term]);
    }
    found.sort(([a, s], [b, t]) => a - b || this.name[s].length - this.name[t].length || s - t);
    return found.slice(0, count).map(([, term]) => term);
  }
}
