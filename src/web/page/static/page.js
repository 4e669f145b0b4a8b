// Keeps the page current without a reload: what is marked `data-live` is replaced when the server shows it otherwise. Focus,
// scrolling, what is open and what is being typed stay. Moments are shown in the reader's zone, with the exact one on hover.
// Without this the page works too: it is reloaded once a minute, and moments are in UTC.
"use strict";
const EVERY = 10000;
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const utc = `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    const local = LOCAL.format(moment);
    if (time.classList.contains("exact")) time.textContent = local;
    time.title = `${local} (${utc})`;
  }
}

// Whether somebody is filling in a form there.
const isFilledIn = (part) => [...part.querySelectorAll("details[open] input")]
  .some((input) => input === document.activeElement || input.value !== input.defaultValue);

async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  const shown = new DOMParser().parseFromString(await response.text(), "text/html");
  localize(shown);
  document.title = shown.title;
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = shown.getElementById(old.id);
    if (!fresh || isFilledIn(old)) continue;
    for (const open of old.querySelectorAll("details[open][id]")) fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    if (fresh.innerHTML === old.innerHTML) continue;
    const active = old.contains(document.activeElement) ? document.activeElement : null;
    const focused = active?.getAttribute("href");
    const summary = active?.closest("summary")?.parentElement.id;
    const changed = fresh.textContent.replace(/\d+ (s|min|h|days) ago/g, "") !== old.textContent.replace(/\d+ (s|min|h|days) ago/g, "");
    old.innerHTML = fresh.innerHTML;
    old.classList.remove("changed");
    if (changed && old.id !== "pulse") requestAnimationFrame(() => old.classList.add("changed"));
    if (focused) [...old.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
    if (summary) old.querySelector(`#${CSS.escape(summary)} > summary`)?.focus();
  }
}

// An address that names an alert leads to it, opened.
function open() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
}

async function turn() {
  if (document.visibilityState === "visible") {
    const pulse = document.getElementById("pulse");
    try {
      await refresh();
      pulse.classList.remove("trouble");
    } catch {
      // The monitor is gone or the password has changed; what is shown may be old, and that is said.
      pulse.textContent = "The monitor does not answer: what is shown here may be old.";
      pulse.classList.add("trouble");
    }
  }
  setTimeout(turn, EVERY);
}

localize(document);
open();
addEventListener("hashchange", open);
setTimeout(turn, EVERY);
