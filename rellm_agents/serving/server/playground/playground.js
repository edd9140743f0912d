"use strict";

/* The page: asks for the picture of what is typed, and lets the model write a text of it. */
const settings = JSON.parse(document.body.dataset.settings);
const byId = (id) => document.getElementById(id);
const TYPING_PAUSE = 300; // milliseconds without a key before the pattern is asked for
const EXAMPLES = {
  schema: JSON.stringify({
    type: "object",
    properties: { city: { type: "string", maxLength: 20 }, country: { enum: ["Norway", "Sweden"] }, people: { type: "integer", minimum: 0 } },
    required: ["city", "country", "people"],
    additionalProperties: false,
  }, null, 2),
  regex: "(Oslo|Bergen), a city of [1-9][0-9]{0,2},[0-9]{3} people\\.",
  tools: JSON.stringify({ search: { type: "object", properties: { query: { type: "string", maxLength: 40 } }, required: ["query"] } }, null, 2),
};
const LABELS = { schema: "JSON Schema", regex: "Regex" };
const typed = { schema: EXAMPLES.schema, regex: EXAMPLES.regex };
let kind = "schema", timer = 0, asking = null, writing = null, written = "";

function source() {
  return kind === "format" ? { kind, text: byId("format").value, tools: byId("tools").value } : { kind, text: byId("text").value };
}

function choose(next) {
  if (kind !== "format") typed[kind] = byId("text").value;
  kind = next;
  byId("text-field").hidden = kind === "format";
  byId("format-field").hidden = byId("tools-field").hidden = kind !== "format";
  if (kind !== "format") {
    byId("text").value = typed[kind];
    byId("text-label").textContent = LABELS[kind];
  }
  number(byId("text"));
  number(byId("tools"));
  ask();
}

/* Writes line numbers beside an editor, and marks one line. */
function number(editor, wrong = 0) {
  const lines = editor.parentElement.querySelector(".lines");
  const count = editor.value.split("\n").length;
  lines.replaceChildren(...Array.from({ length: count }, (_, at) => {
    const line = document.createElement("div");
    line.textContent = at + 1 === wrong ? `\u2717${at + 1}` : String(at + 1);
    if (at + 1 === wrong) line.className = "wrong";
    return line;
  }));
  lines.scrollTop = editor.scrollTop;
}

function clearErrors() {
  for (const one of document.querySelectorAll(".error")) one.replaceChildren();
  for (const one of document.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  number(byId("text"));
  number(byId("tools"));
}

/* Shows an error beside its field, with the line, a caret under the place, and a way to go there. */
function showError(error) {
  const field = { text: kind === "format" ? "form" : "text", tools: "tools", max_tokens: "max_tokens" }[error.field] || "form";
  const box = byId(`${field}-error`), editor = byId(field);
  box.replaceChildren(error.message);
  if (editor && editor.tagName !== "FORM") editor.setAttribute("aria-invalid", "true");
  if (!editor || editor.tagName !== "TEXTAREA" || error.offset === null || error.offset === undefined) return;
  const at = Array.from(editor.value).slice(0, error.offset).join("").length; // the server counts code points
  const before = editor.value.slice(0, at);
  const line = before.split("\n").length, column = at - before.lastIndexOf("\n");
  const shown = document.createElement("pre");
  shown.textContent = `${editor.value.split("\n")[line - 1]}\n${" ".repeat(column - 1)}^`;
  const go = document.createElement("button");
  go.type = "button";
  go.textContent = `Go to line ${line}, column ${column}`;
  go.addEventListener("click", () => {
    editor.focus();
    editor.setSelectionRange(at, at + 1);
  });
  box.append(shown, go);
  number(editor, line);
}

async function post(path, body, signal) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
  if (!response.ok) {
    const { error } = await response.json();
    throw Object.assign(new Error(error.message), { shown: error });
  }
  return response;
}

/* Asks for the picture of what is typed now; an answer to something older is dropped. */
async function ask() {
  clearTimeout(timer);
  if (asking) asking.abort();
  const mine = (asking = new AbortController());
  byId("status").textContent = "Compiling\u2026";
  if (JSON.stringify(source()) !== written) dropText();
  try {
    const found = await (await post("/playground/pattern", source(), mine.signal)).json();
    clearErrors();
    show(found);
    byId("status").textContent = "";
  } catch (error) {
    if (error.name === "AbortError") return;
    clearErrors();
    byId("shown").hidden = true;
    byId("status").textContent = "There is no pattern of this yet.";
    showError(error.shown || { message: `The server does not answer: ${error.message}` });
  }
}

function show(found) {
  byId("shown").hidden = false;
  byId("regex").textContent = found.regex ?? found.no_regex;
  const picture = new DOMParser().parseFromString(found.svg, "image/svg+xml").documentElement;
  byId("diagram").replaceChildren(document.importNode(picture, true));
  byId("samples").replaceChildren(...found.samples.map((text) => element("li", {}, text)));
  const facts = { "shortest text": found.shortest, "tokens that it needs, its end included": String(found.tokens_needed) };
  if (found.regex) facts["characters of its regex"] = found.regex.length.toLocaleString("en");
  if (found.narrower.length) facts["narrower than the schema at"] = found.narrower.join("; ");
  byId("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

/* Takes the text away that was written for another pattern. */
function dropText() {
  if (writing) writing.abort();
  byId("trace").replaceChildren();
}

/* Brings what is shown below into view, if it begins out of it. */
function bringIntoView(shown) {
  const { top } = shown.getBoundingClientRect();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top < 0 || top > 0.6 * innerHeight) shown.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

/* Lets the model write a text, and shows the tokens as they come. */
async function run() {
  clearErrors();
  if (writing) writing.abort();
  written = JSON.stringify(source());
  const mine = (writing = new AbortController());
  byId("stop").hidden = false;
  byId("trace").replaceChildren(TraceView.legend());
  const view = new TraceView(byId("trace"), { prompt: "" }, "The text that the model writes");
  view.section.setAttribute("aria-busy", "true");
  bringIntoView(byId("trace"));
  const asked = { ...source(), prompt: byId("prompt").value, max_tokens: Number(byId("max_tokens").value), temperature: Number(byId("temperature").value) };
  try {
    const response = await post("/playground/text", asked, mine.signal);
    for await (const event of events(response.body)) {
      if (event.error) throw Object.assign(new Error(event.error.message), { shown: event.error });
      if (event.tokens) view.add(event.tokens);
      if (event.trace) {
        byId("trace").replaceChildren();
        TraceView.show(byId("trace"), { steps: [event.trace] });
        byId("trace").querySelector("h2").after(value(event.trace.text));
      }
    }
  } catch (error) {
    view.section.removeAttribute("aria-busy");
    if (error.name === "AbortError") return;
    byId("trace").replaceChildren();
    showError(error.shown || { message: `The server does not answer: ${error.message}` });
  } finally {
    if (writing === mine) byId("stop").hidden = true;
  }
}

/* The value that the text is, where it is JSON. */
function value(text) {
  const box = element("pre", { class: "value", tabindex: "0" });
  try {
    box.textContent = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    box.textContent = text;
  }
  return box;
}

/* The values of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value: piece } = await reader.read();
    if (done) return;
    rest += piece;
    const whole = rest.split("\n\n");
    rest = whole.pop();
    for (const one of whole) if (one !== "data: [DONE]") yield JSON.parse(one.slice("data: ".length));
  }
}

byId("model").textContent = settings.model;
byId("format").append(...settings.formats.map((name) => element("option", {}, name)));
byId("max_tokens").max = settings.max_tokens;
byId("tools").value = EXAMPLES.tools;
for (const one of document.querySelectorAll("input[name=kind]")) one.addEventListener("change", () => choose(one.value));
byId("format").addEventListener("change", ask);
for (const editor of [byId("text"), byId("tools")]) {
  editor.addEventListener("input", () => {
    number(editor);
    clearTimeout(timer);
    timer = setTimeout(ask, TYPING_PAUSE);
  });
  editor.addEventListener("scroll", () => { editor.parentElement.querySelector(".lines").scrollTop = editor.scrollTop; });
}
byId("form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
byId("stop").addEventListener("click", () => { if (writing) writing.abort(); });
byId("text").value = typed.schema;
choose(document.querySelector("input[name=kind]:checked").value);
