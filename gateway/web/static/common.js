// What the scripts of all pages need: the line that tells whether the page is alive, the finger on it, and the person's name.
const line = document.getElementById("connection");
const banner = document.getElementById("lost");
const lost = banner.textContent;
const { zone, live } = document.body.dataset;
export const language = document.documentElement.lang;
export const clock = clockIn(zone);

// The site's time, as in everything that the server words, wherever the phone is; the phone's own where it does not know that zone.
function clockIn(timeZone) {
  const shown = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat(language, { ...shown, timeZone: timeZone || undefined });
  } catch {
    return new Intl.DateTimeFormat(language, shown);
  }
}

// Whether the gateway was reached just now.
export function reached(yes) {
  line.classList.toggle("lost", !yes);
  if (banner.hidden !== yes) banner.hidden = yes;
  if (!yes) return;
  line.textContent = `${live} ${clock.format(new Date())}`;
  if (banner.textContent !== lost) banner.textContent = lost;
}

// The page as the server words it now; null where it cannot be had, which is told.
export async function fetchPage(address) {
  const answer = await fetch(address).catch(() => null);
  reached(Boolean(answer?.ok));
  return answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

// Nothing is put in place under a pressed finger.
export const finger = { pressed: false };
addEventListener("pointerdown", () => { finger.pressed = true; });
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => setTimeout(() => { finger.pressed = false; }, 700));
}

// The name is asked for once, and stays on this phone.
export function fillNames() {
  const name = localStorage.getItem("by") ?? "";
  document.querySelectorAll('input[name="by"]').forEach((input) => { input.value ||= name; });
}
document.addEventListener("change", ({ target }) => {
  if (target.name === "by" && target.value) localStorage.setItem("by", target.value);
});
fillNames();

// Without a connection the browser would put its own page in the place of this one, and what was written would be gone.
document.addEventListener("submit", async (event) => {
  if (!line.classList.contains("lost")) return;
  event.preventDefault();
  const { target, submitter } = event;
  const answer = await fetch("/health").catch(() => null);
  reached(answer !== null);
  if (answer !== null) target.requestSubmit(submitter);
  else banner.textContent = banner.dataset.unsent;
});
