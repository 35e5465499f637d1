// Single keys, as the dialog lists them. They can be turned off there (WCAG 2.1.4), and never act
// while somebody types or holds Ctrl, Alt or Meta.

const remembered = "tocsin-keys";

export function keys(live) {
  const dialog = document.getElementById("keys");
  const search = document.getElementById("q");
  const on = document.getElementById("keys-on");

  on.checked = recall() !== "off";
  on.addEventListener("change", () => remember(on.checked ? "on" : "off"));
  document.getElementById("help").addEventListener("click", () => dialog.showModal());

  const actions = {
    "/": () => (search ? (search.focus(), search.select()) : document.getElementById("up")?.click()),
    "?": () => dialog.showModal(),
    j: () => step(1),
    k: () => step(-1),
    o: () => here()?.closest(".group")?.querySelector("details.quiet-rows > summary")?.click(),
    u: () => document.getElementById("up")?.click(),
    p: () => live.toggle(),
  };
  for (const n of [1, 2, 3, 4]) {
    actions[n] = () => document.querySelector(`.tabs:not(.small) a:nth-of-type(${n})`)?.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || dialog.open) return;
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
    if (event.key === "Escape") {
      if (typing || here()) document.activeElement.blur();
      return;
    }
    const action = actions[event.key];
    if (typing || !on.checked || !action) return;
    event.preventDefault();
    action();
  });
}

// here is the row, or the group, that holds the focus.
function here() {
  return document.activeElement?.closest(".row[id], .group");
}

// step moves the focus to the next or the previous alert that can be seen.
function step(by) {
  const names = [...document.querySelectorAll(".row[id] .name")].filter((name) => name.checkVisibility());
  if (!names.length) return;
  const row = document.activeElement?.closest(".row[id]");
  let at = names.findIndex((name) => name.closest(".row") === row);
  if (at < 0) at = by > 0 ? firstInView(names) : names.length;
  const name = names[at + (row ? by : by > 0 ? 0 : -1)];
  if (!name) return;
  name.focus({ preventScroll: true, focusVisible: true });
  name.closest(".row").scrollIntoView({ block: "nearest" });
}

function firstInView(names) {
  const at = names.findIndex((name) => name.getBoundingClientRect().top >= 0);
  return at < 0 ? names.length - 1 : at;
}

// A browser may forbid to remember anything.
function recall() {
  try {
    return localStorage.getItem(remembered);
  } catch {
    return null;
  }
}

function remember(value) {
  try {
    localStorage.setItem(remembered, value);
  } catch {
    // The choice holds until the page is left.
  }
}
