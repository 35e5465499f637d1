// Keeps the page fresh: asks for the same page every few seconds, and swaps the part that lives.
// Nothing is asked for while nobody looks, and nothing is swapped under a selection. A page that
// could not be fetched says so, for an old page looks just like a quiet night.

const every = 5000;
const slowest = 30000;

// What is marked as new when it first comes up.
const rows = ".row[id]";

export function live() {
  const freshness = document.getElementById("freshness");
  const button = document.getElementById("pause");
  let paused = false;
  let tag = "";
  let timer = 0;
  let failures = 0;
  let last = new Date();

  function say(text) {
    if (freshness.textContent !== text) freshness.textContent = text;
  }

  function later() {
    clearTimeout(timer);
    if (paused || document.hidden) return;
    timer = setTimeout(refresh, Math.min(every * 2 ** failures, slowest));
  }

  async function refresh() {
    clearTimeout(timer);
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const answer = await fetch(location.href.split("#")[0], {
        headers, cache: "no-store", signal: AbortSignal.timeout(15000),
      });
      if (answer.status !== 304) {
        if (answer.status >= 500) throw new Error("status " + answer.status);
        const text = await answer.text();
        if (selecting() || paused) return;
        swap(text);
        tag = answer.headers.get("ETag") || "";
      }
      failures = 0;
      last = new Date();
      document.body.classList.remove("lost");
      say("Live");
    } catch {
      failures++;
      document.body.classList.add("lost");
      say("No answer since " + last.toLocaleTimeString() + ": this page is old");
    } finally {
      later();
    }
  }

  function toggle() {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Go on" : "Pause";
    if (paused) {
      clearTimeout(timer);
      say("Paused at " + new Date().toLocaleTimeString());
    } else {
      refresh();
    }
  }

  button.addEventListener("click", toggle);
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : paused || refresh()));
  say("Live");
  later();
  return { toggle };
}

function selecting() {
  const selection = getSelection();
  return !selection.isCollapsed && document.getElementById("live").contains(selection.anchorNode);
}

// swap replaces the live part, and leaves open what was open, focused what was focused, and in its
// place what was being read.
function swap(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const now = document.getElementById("live");
  const next = page.getElementById("live");
  if (!next) return;
  const build = (of) => of.querySelector("link[rel=stylesheet]").getAttribute("href");
  if (build(page) !== build(document)) { // the server is a new one: so are its scripts
    location.reload();
    return;
  }
  document.title = page.title;
  const icon = (of) => of.querySelector("link[rel=icon]");
  if (icon(page).getAttribute("href") !== icon(document).getAttribute("href")) {
    icon(document).replaceWith(document.importNode(icon(page), true));
  }
  if (next.innerHTML === now.innerHTML) return;

  const known = new Set([...now.querySelectorAll(rows)].map((row) => row.id));
  for (const details of now.querySelectorAll("details[id]")) {
    const same = next.querySelector("#" + CSS.escape(details.id));
    if (same) same.open = details.open;
  }
  const focused = path(now, document.activeElement);
  const anchor = [...now.querySelectorAll(rows)].find((row) => row.getBoundingClientRect().top >= 0);
  const before = anchor && anchor.getBoundingClientRect().top;

  now.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));

  if (focused) focused()?.focus({ preventScroll: true });
  const same = anchor && document.getElementById(anchor.id);
  if (same && scrollY > 0) scrollBy(0, same.getBoundingClientRect().top - before);
  for (const row of now.querySelectorAll(rows)) {
    if (!known.has(row.id)) row.classList.add("fresh");
  }
}

// path returns how to find element again after what holds it was replaced: the same kind of element,
// at the same place in the nearest ancestor with an ID.
function path(holder, element) {
  if (!element || element === holder || !holder.contains(element)) return null;
  const home = element.closest("[id]");
  if (!holder.contains(home) || home === holder) {
    const place = [...holder.querySelectorAll("a, summary")].indexOf(element);
    return () => holder.querySelectorAll("a, summary")[place];
  }
  const place = [...home.querySelectorAll("a, summary")].indexOf(element);
  return () => document.getElementById(home.id)?.querySelectorAll("a, summary")[place];
}
