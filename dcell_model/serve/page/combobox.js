// A text field with a list of suggestions below it, for mouse, keyboard and screen readers.

import { element } from "./elements.js";

// `find(text)` gives a promise of options {main, rest, value}; `choose(value)` takes one of them.
export function combobox(input, list, find, choose) {
  let options = [];
  let active = -1;
  let asked = 0;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  close();

  input.addEventListener("input", async () => {
    const number = ++asked;
    const found = input.value.trim() ? await find(input.value.trim()) : [];
    if (number === asked) open(found); // answers may come out of order
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!options.length) return;
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      activate((active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) % options.length);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      take(options[active].value);
    } else if (event.key === "Escape") close();
  });
  input.addEventListener("blur", close);

  function open(found) {
    options = found;
    list.replaceChildren(...options.map(({ main, rest }, number) => {
      const item = element("li", { role: "option", id: `${list.id}-${number}` },
        element("span", { className: "main" }, main), element("span", { className: "rest" }, rest));
      item.addEventListener("mousedown", (event) => { // before the field loses its focus
        event.preventDefault();
        take(options[number].value);
      });
      return item;
    }));
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    activate(-1);
  }

  function activate(number) {
    active = number;
    [...list.children].forEach((item, each) => {
      item.setAttribute("aria-selected", String(each === active));
      if (each === active) item.scrollIntoView({ block: "nearest" });
    });
    if (active >= 0) input.setAttribute("aria-activedescendant", `${list.id}-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function take(value) {
    input.value = "";
    close();
    choose(value);
  }

  function close() {
    asked++;
    open([]);
  }

  return { options: () => options, close };
}
