// Names are stored in intake: fetched with the viewer's own rights, kept in memory only, and inserted as plain text.

const MOST = 200;
const LONGEST = 80;
const known = new Map();

export async function fillNames(root) {
  const places = [...root.querySelectorAll("[data-patient]")];
  places.filter((place) => known.has(place.dataset.patient)).forEach(write);
  const missing = [...new Set(places.map((place) => place.dataset.patient))].filter((id) => id && !known.has(id));
  for (let at = 0; at < missing.length; at += MOST) await ask(missing.slice(at, at + MOST), places);
}

/** On a failure the short id from the server stays; the next change asks again. */
async function ask(ids, places) {
  try {
    const answer = await fetch("/names", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ patient_ids: ids }) });
    if (!answer.ok) return;
    for (const [id, name] of Object.entries((await answer.json()).names ?? {})) known.set(id, full(name));
    places.filter((place) => ids.includes(place.dataset.patient) && known.has(place.dataset.patient)).forEach(write);
  } catch {
    // Intake does not answer: ids are enough to work with.
  }
}

function full(name) {
  const whole = [name.given_name, name.family_name].filter(Boolean).join(" ");
  const letters = [...whole];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join("")}…` : whole;
}

function write(place) {
  const name = known.get(place.dataset.patient);
  if (!name || place.textContent === name) return;
  place.textContent = name;
  place.dir = "auto";
}
