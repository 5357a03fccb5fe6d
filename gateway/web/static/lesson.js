// The page works without this script. With it new pictures are added by themselves, and what was tapped stays as it is.
import { fetchPage, language, reached } from "./common.js";

const EVERY_MS = 2000;
const lesson = document.getElementById("lesson");
const form = document.querySelector(".tapping");
const address = `${location.pathname}?lang=${language}`;
const waits = () => ["asked", "collecting", "teaching"].includes(lesson.dataset.state);

function count() {
  const chosen = document.getElementById("chosen");
  if (!chosen) return;
  const counts = Object.fromEntries(["good", "reject", "out"].map((choice) =>
    [choice, form.querySelectorAll(`.tap input[value=${choice}]:checked`).length]));
  chosen.textContent = lesson.dataset.chosen.replace(/\{(\w+)\}/g, (_, name) => counts[name]);
}

// What was tapped outlives a reload, as after a lesson with too few items.
const kept = `taps/${location.pathname}`;
const taps = JSON.parse(sessionStorage.getItem(kept) ?? "{}");
for (const [name, value] of Object.entries(taps)) {
  for (const each of form.querySelectorAll(`.tap input[value=${value}]`)) if (each.name === name) each.checked = true;
}
form.addEventListener("change", ({ target }) => {
  if (target.type !== "radio") return;
  taps[target.name] = target.value;
  sessionStorage.setItem(kept, JSON.stringify(taps));
  count();
});

async function refresh() {
  if (document.hidden || !waits()) return;
  const fresh = await fetchPage(address);
  if (!fresh) return;
  // Another step has other buttons; while a person taps, these stay.
  const tapped = lesson.dataset.state === "collecting" && fresh.getElementById("lesson")?.dataset.state === "collected";
  if (fresh.getElementById("lesson")?.dataset.state !== lesson.dataset.state && !tapped) return location.replace(address);
  const says = fresh.getElementById("lesson-says").innerHTML;
  const place = document.getElementById("lesson-says");
  if (place.innerHTML !== says) place.innerHTML = says;
  const known = new Set([...document.querySelectorAll(".lesson-item")].map((each) => each.dataset.field));
  for (const each of fresh.querySelectorAll(".lesson-item")) {
    if (!known.has(each.dataset.field)) document.getElementById("lesson-items")?.append(document.importNode(each, true));
  }
  const none = document.getElementById("no-pieces");
  if (none) none.hidden = document.querySelector(".lesson-item") !== null;
  count();
}
setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
count();
const look = document.getElementById("look");
if (look) look.hidden = true;
reached(true);
