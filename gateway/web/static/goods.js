// The page works without this script. With it, what the server words anew is put in place without a reload, but never
// under a pressed finger, and pictures stay where they are until they change.
import { fetchPage, fillNames, finger, reached } from "./common.js";

const EVERY_MS = 10000;
const PARTS = ["under", "today", "lessons", "goods-alerts", "charts", "pictures", "batches", "cameras"];
// After a verdict that was refused the page's own address takes only verdicts.
const asked = new URLSearchParams([...new FormData(document.querySelector(".judge"))]
  .filter(([name]) => ["lang", "before"].includes(name)));
const address = `/goods?${asked}`;
if (location.pathname !== "/goods") history.replaceState(null, "", address);

const said = new Map(PARTS.map((id) => [id, document.getElementById(id).innerHTML]));

async function refresh() {
  if (document.hidden || finger.pressed) return;
  const fresh = await fetchPage(address);
  if (!fresh) return;
  // The first pictures bring the field for the name with them.
  if (fresh.querySelector(".judge [name=by]") && !document.querySelector(".judge [name=by]")) return location.reload();
  for (const id of PARTS) {
    const html = fresh.getElementById(id)?.innerHTML;
    const part = document.getElementById(id);
    // Somebody is choosing there.
    if (part.querySelector("details[open]")) continue;
    if (html === undefined || said.get(id) === html || finger.pressed || part.contains(document.activeElement)) continue;
    part.innerHTML = html;
    said.set(id, html);
  }
  fillNames();
  document.title = fresh.title;
}
setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
reached(true);
