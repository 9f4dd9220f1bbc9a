// Reads a file of referrals in the browser, sends it in parts one after another, and counts the rows' outcomes.
// Nothing is sent before the whole file was read. The error report is made here and contains no names.

const ROWS = 200;
const CHARACTERS = 300_000;
const MOST_BYTES = 100_000_000;
const SHOWN = 50;
const COUNTS = ["created", "updated", "unchanged", "refused", "flagged"];
const WAITS = [1_000, 2_000, 4_000, 8_000];

const by = (id) => document.getElementById(id);
const form = by("import");

class Unusable extends Error {}

async function readText(file) {
  if (file.size > MOST_BYTES) throw new Unusable("The file is larger than 100 MB: cut it, or import it with the command line.");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Unusable("The file is not UTF-8 text: save it as UTF-8.");
  }
  if (text.includes("\0")) throw new Unusable("The file is not a text file: save a spreadsheet as CSV.");
  return text;
}

/** Counts like intake's readers: an empty table line is no row, and neither is a blank line between objects. */
const isRow = (record, isTable) => (isTable ? record.replace(/[\r\n]+/g, "") : record.trim()) !== "";

/** Splits text into records: lines, joined while a quote of a table's cell is open. */
function* records(text, isTable) {
  let record = "", open = false, row = 0;
  for (const [line] of text.matchAll(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+/g)) {
    record += line;
    if (isTable && (line.split('"').length - 1) % 2) open = !open;
    if (open) continue;
    if (isRow(record, isTable)) row += 1;
    if (record.length > CHARACTERS) throw new Unusable(`Row ${row} is too long: end every row's line.`);
    yield record;
    record = "";
  }
  if (open) throw new Unusable(`A quote is opened after row ${Math.max(0, row - 1)} and never closed.`);
}

/** `{format, header, parts: [text], rows}`. Throws `Unusable`. */
function cut(text, name) {
  const isTable = !/\.(ndjson|jsonl)$/i.test(name) && !text.trimStart().startsWith("{");
  const parts = [];
  let header = "", part = "", inPart = 0, rows = 0;
  for (const record of records(text, isTable)) {
    if (isTable && !header) {
      header = record.trim();
      continue;
    }
    if (!isRow(record, isTable)) continue;
    if (inPart === ROWS || part.length + record.length > CHARACTERS) {
      parts.push(part);
      part = "";
      inPart = 0;
    }
    part += record;
    inPart += 1;
    rows += 1;
  }
  if (part) parts.push(part);
  if (!rows) throw new Unusable("The file has no rows.");
  return { format: isTable ? "csv" : "ndjson", header, parts, rows };
}

async function send(body, renewed = false) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": proof().content };
  const answer = await fetch("/intake/import/parts", { method: "POST", headers, body });
  const told = await answer.json();
  if (answer.ok) return told;
  if (told.reason === "form_not_ours" && !renewed && (await renewProof())) return send(body, true);
  throw Object.assign(new Error(told.detail ?? ""), { status: answer.status });
}

const proof = () => document.querySelector("meta[name=csrf-token]");

/** Fetches the new form proof after a sign-in in another tab, from this page as currently rendered. */
async function renewProof() {
  const page = new DOMParser().parseFromString(await (await fetch(location.pathname, { headers: { Accept: "text/html" } })).text(), "text/html");
  const fresh = page.querySelector("meta[name=csrf-token]")?.content;
  if (!fresh || !page.getElementById("import")) return false;
  proof().content = form.elements.csrf.value = fresh;
  return true;
}

class Run {
  constructor(file, clinic) {
    Object.assign(this, file, { clinic, at: 0, first: 1, done: 0, errors: [], key: crypto.randomUUID?.() ?? String(Date.now()) });
    this.counts = Object.fromEntries(COUNTS.map((name) => [name, 0]));
    this.paused = false;
  }

  get isOver() {
    return this.at === this.parts.length;
  }

  /** Sends one part; its key never changes, so a part sent again takes effect once. */
  async sendNext() {
    const body = { format: this.format, header: this.header, text: this.parts[this.at], first: this.first, clinic_id: this.clinic, key: `${this.key}-${this.at}` };
    const told = await send(JSON.stringify(body));
    for (const name of COUNTS) this.counts[name] += told[name];
    this.errors.push(...told.errors);
    this.first += told.rows;
    this.done += told.rows;
    this.at += 1;
  }
}

let run = null;

async function go() {
  run.paused = false;
  by("import-said").replaceChildren();
  by("import-pause").textContent = "Pause";
  if (run.going) return;
  run.going = true;
  await sendAll();
  run.going = false;
}

async function sendAll() {
  let tries = 0;
  while (!run.isOver && !run.paused) {
    try {
      await run.sendNext();
      tries = 0;
    } catch (error) {
      if (!mayPass(error)) return stop(error);
      if (tries === WAITS.length) return halt("Intake does not answer. Nothing is lost: resume when it is back.");
      await new Promise((wait) => setTimeout(wait, WAITS[tries++]));
    }
    show();
  }
  if (run.isOver) finish();
  else say(`Paused after ${run.done} rows.`);
}

/** True if a retry may succeed: no answer at all, or one that asks to retry. */
const mayPass = (error) => !error.status || error.status === 429 || error.status === 409 || error.status >= 500;

function stop(error) {
  if (error.status === 401) return halt("You were signed out. Sign in again in another tab, then resume here.");
  halt(`${error.message || "Intake refuses this file."} ${run.done ? `Of the ${run.done} rows before it ${taken()} were taken in.` : "Nothing was imported."}`);
}

function halt(text) {
  run.paused = true;
  by("import-pause").textContent = "Resume";
  show();
  said("error", "Import stopped", text);
  say(text);
}

const rows = (count) => `${count.toLocaleString("en")} ${count === 1 ? "row was" : "rows were"}`;
const taken = () => run.counts.created + run.counts.updated + run.counts.unchanged;

function finish() {
  by("import-heading").textContent = "Imported";
  by("import-pause").hidden = true;
  show();
  const { created, updated, unchanged, refused } = run.counts;
  const imported = `${rows(created + updated)} imported`;
  const known = unchanged ? `${rows(unchanged)} known already and changed nothing.` : "";
  const wrong = refused ? `To be mended: ${refused.toLocaleString("en")}. The report says how.` : "";
  said(taken() ? "success" : "error", imported, [known, wrong].filter(Boolean).join(" "));
  say(`Imported ${created + updated} rows, ${unchanged} unchanged, ${refused} to be mended.`);
  by("import-heading").focus();
}

function show() {
  by("import-progress").max = run.rows;
  by("import-progress").value = run.done;
  by("import-count").textContent = `${run.done.toLocaleString("en")} of ${run.rows.toLocaleString("en")}`;
  for (const name of COUNTS) document.querySelector(`[data-count=${name}]`).textContent = run.counts[name].toLocaleString("en");
  by("import-crisis").hidden = !run.counts.flagged;
  if (run.errors.length) showErrors();
}

function showErrors() {
  by("import-errors").hidden = false;
  by("import-more").hidden = run.errors.length <= SHOWN;
  by("import-more").textContent = `The first ${SHOWN} of ${run.errors.length.toLocaleString("en")}; the report holds all of them.`;
  by("import-errors").querySelector("tbody").replaceChildren(...run.errors.slice(0, SHOWN).map(rowOf));
  const report = by("import-report");
  URL.revokeObjectURL(report.href);
  report.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  report.hidden = false;
}

function rowOf({ row, code, advice }) {
  const cells = [["th", row], ["td", advice], ["td", code]].map(([tag, text]) => Object.assign(document.createElement(tag), { textContent: text }));
  cells[0].scope = "row";
  const line = document.createElement("tr");
  line.append(...cells);
  return line;
}

const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
const table = () => ["row,code,what to mend", ...run.errors.map((e) => [e.row, quoted(e.code), quoted(e.advice)].join(","))].join("\r\n") + "\r\n";

/** A notice above the form. Its texts are fixed or counts, but still inserted as plain text. */
function said(kind, title, text) {
  const notice = Object.assign(document.createElement("div"), { className: `notice notice-${kind}` });
  notice.append(icon(kind === "error" ? "error" : "done"));
  const inner = notice.appendChild(document.createElement("div"));
  inner.appendChild(document.createElement("p")).appendChild(document.createElement("strong")).textContent = title;
  if (text) inner.appendChild(document.createElement("p")).textContent = text;
  by("import-said").replaceChildren(notice);
}

function icon(name) {
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  picture.appendChild(document.createElementNS(picture.namespaceURI, "use")).setAttribute("href", `#i-${name}`);
  return picture;
}

const say = (text) => (by("import-status").textContent = text);

form.addEventListener("submit", async (event) => {
  if (!by("import-status")) return; // The page shows a result of an upload without script: submit normally.
  event.preventDefault();
  if (run && !run.isOver && !run.paused) return;
  try {
    const file = form.elements.file.files[0];
    run = new Run(cut(await readText(file), file.name), form.elements.clinic_id?.value ?? "");
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return said("error", "Not imported", error.message);
  }
  by("import-errors").hidden = true;
  by("import-run").hidden = false;
  by("import-pause").hidden = false;
  by("import-heading").textContent = "Importing";
  say(`Importing ${run.rows} rows.`);
  show();
  go();
});

by("import-pause")?.addEventListener("click", () => {
  if (run.paused) return go();
  run.paused = true;
  by("import-pause").textContent = "Resume";
});

// Leaving during an import leaves the rest unsent, so the browser asks first.
window.addEventListener("beforeunload", (event) => run && !run.isOver && run.done && event.preventDefault());
