"use strict";

/* Shows traces: of each text its tokens, what is known of the one that is looked at, and a chart. All texts enter the page as text nodes. */
class TraceView {
  static ORIGINS = {
    chosen: "chosen freely",
    drafted: "a draft that was accepted: read before it was chosen",
    forced: "forced: nothing else could follow",
    closing: "closing: the budget took the likeliest token",
  };

  static show(root, trace) {
    root.append(TraceView.legend());
    trace.steps.forEach((step, number) => {
      const view = new TraceView(root, step, trace.steps.length > 1 ? `Text ${number + 1} of ${trace.steps.length}` : "Text");
      view.add(step.tokens);
      view.end(step);
    });
  }

  static legend() {
    const list = element("ul", { class: "legend", "aria-label": "What the tokens look like" });
    for (const [origin, words] of Object.entries(TraceView.ORIGINS)) {
      list.append(element("li", {}, element("span", { class: `token ${origin}` }, " abc "), ` ${words}`));
    }
    list.append(element("li", {}, element("span", { class: "token chosen fought" }, " abc "), " the model's likeliest token was not allowed"));
    return list;
  }

  constructor(root, step, title) {
    this.tokens = [];
    this.chips = [];
    this.section = element("section", { class: "step" }, element("h2", {}, step.asked ? `${title}: ${shortened(step.asked)}` : title));
    if (step.prompt) {
      this.section.append(element("details", { class: "prompt" }, element("summary", {}, "The prompt"), element("pre", { tabindex: "0" }, step.prompt)));
    }
    this.text = element("div", { class: "text", role: "group", "aria-label": `${title}, token by token: the arrow keys go from one to the next` });
    this.detail = element("div", { class: "detail empty", role: "region", "aria-live": "polite", "aria-label": `${title}: the token that is looked at` });
    this.detail.append(element("p", {}, "Point at a token, or go to one with the Tab and arrow keys."));
    this.chart = element("figure", { class: "chart" });
    this.rows = element("tbody");
    this.written = element("div", { class: "written-text" }, this.text, this.chart);
    this.section.append(this.written, this.detail, this.table(title));
    this.text.addEventListener("keydown", (event) => this.move(event));
    root.append(this.section);
    new ResizeObserver(() => this.draw()).observe(this.chart);
  }

  /* Adds tokens at the end of the text. */
  add(tokens) {
    for (const token of tokens) {
      const number = this.tokens.length;
      const chip = element("button", { type: "button", class: `token ${token.origin}${token.fought ? " fought" : ""}` });
      chip.textContent = visible(token);
      chip.tabIndex = number ? -1 : 0;
      chip.setAttribute("aria-label", `${spoken(token)}, ${token.origin}${token.fought ? ", against the model's likeliest token" : ""}`);
      chip.addEventListener("mouseenter", () => this.look(number));
      chip.addEventListener("focus", () => this.look(number));
      chip.addEventListener("click", () => this.look(number));
      this.text.append(chip);
      if (token.text.includes("\n")) this.text.append(element("br"));
      this.tokens.push(token);
      this.chips.push(chip);
      this.rows.append(this.row(token, number));
    }
    this.draw();
  }

  /* Shows how the text came to its end. */
  end(step) {
    const sum = step.summary;
    const passes = `${sum.forward_passes} for ${this.tokens.length} tokens`;
    const totals = {
      "forward passes": passes,
      "drafts accepted": `${sum.accepted_drafts} of ${sum.drafts}`,
      "time in masks": `${sum.mask_ms.toFixed(1)} ms of ${sum.ms.toFixed(0)} ms`,
      "tokens against the model's likeliest one": String(sum.fought),
      end: step.closed_at === null ? step.finish : `${step.finish} at ${step.closed_at}`,
    };
    const list = element("dl", { class: "totals" });
    for (const [name, value] of Object.entries(totals)) list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
    this.section.insertBefore(list, this.written);
  }

  move(event) {
    const now = this.chips.indexOf(document.activeElement);
    const last = this.chips.length - 1;
    const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: last }[event.key];
    if (now < 0 || next === undefined) return;
    event.preventDefault();
    this.chips[Math.max(0, Math.min(last, next))].focus();
  }

  /* Shows what is known of one token. */
  look(number) {
    const token = this.tokens[number];
    this.chips.forEach((chip, at) => {
      chip.tabIndex = at === number ? 0 : -1;
      chip.setAttribute("aria-current", at === number ? "true" : "false");
    });
    const list = element("dl");
    const put = (name, value) => value !== null && list.append(element("dt", {}, name), element("dd", {}, value));
    put("how", TraceView.ORIGINS[token.origin]);
    put("where", token.place);
    put("tokens allowed", token.allowed === null ? null : token.allowed.toLocaleString("en"));
    put("removed by the mask", token.removed === null ? null : percent(token.removed));
    put("its probability before", token.free === null ? null : percent(Math.exp(token.free)));
    put("its probability after", token.allowed === null && token.free === null ? null : percent(Math.exp(token.masked)));
    put("tokens left", String(token.tokens_left));
    const heading = element("h3", {}, `Token ${number + 1}: `, element("code", {}, visible(token)));
    this.detail.classList.remove("empty");
    this.detail.replaceChildren(heading, list, token.best.length ? this.best(token) : element("p", {}, "Nobody asked the model here: there was nothing to choose."));
  }

  best(token) {
    const body = element("tbody");
    for (const one of token.best) {
      const name = element("code", { class: one.masked === null ? "forbidden" : "" }, visible(one));
      const row = element("tr", { class: one.id === token.id ? "written" : "" }, element("td", {}, name));
      row.append(element("td", { class: "number" }, percent(Math.exp(one.free))));
      row.append(element("td", { class: "number" }, one.masked === null ? "not allowed" : percent(Math.exp(one.masked))));
      body.append(row);
    }
    const head = element("tr", {}, element("th", { scope: "col" }, "token"), element("th", { scope: "col", class: "number" }, "before"));
    head.append(element("th", { scope: "col", class: "number" }, "after the mask"));
    return element("table", {}, element("caption", {}, "The model's likeliest tokens"), element("thead", {}, head), body);
  }

  table(title) {
    const head = element("tr");
    for (const name of ["", "token", "how", "where"]) head.append(element("th", { scope: "col" }, name || "no."));
    for (const name of ["allowed", "removed", "before", "after"]) head.append(element("th", { scope: "col", class: "number" }, name));
    const table = element("table", {}, element("thead", {}, head), this.rows);
    const box = element("div", { tabindex: "0", role: "region", "aria-label": `${title}: all tokens` }, table);
    return element("details", { class: "all" }, element("summary", {}, "All tokens as a table"), box);
  }

  row(token, number) {
    const shown = (value) => (value === null ? "" : percent(value));
    const row = element("tr", {}, element("td", {}, String(number + 1)), element("td", {}, element("code", {}, visible(token))));
    row.append(element("td", {}, token.origin + (token.fought ? " \u25B2" : "")), element("td", {}, token.place));
    const numbers = [token.allowed === null ? "" : String(token.allowed), shown(token.removed)];
    numbers.push(token.free === null ? "" : percent(Math.exp(token.free)), token.allowed === null ? "" : percent(Math.exp(token.masked)));
    for (const value of numbers) row.append(element("td", { class: "number" }, value));
    return row;
  }

  /* Draws how much the mask removed, and how many tokens it allowed, at each token that somebody chose. */
  draw() {
    const width = Math.max(320, this.chart.clientWidth), top = 14, bottom = 130, left = 44, right = width - 52;
    const known = this.tokens.map((token, at) => [at, token]).filter(([, token]) => token.allowed !== null);
    const most = Math.max(10, ...known.map(([, token]) => token.allowed));
    const x = (at) => left + ((right - left) * (at + 0.5)) / Math.max(1, this.tokens.length);
    const share = (value) => bottom - (bottom - top) * value;
    const count = (value) => share(Math.log10(Math.max(1, value)) / Math.log10(most));
    const line = (name, height) => shape("polyline", { class: name, points: known.map(([at, token]) => `${x(at)},${height(token)}`).join(" ") });
    const fights = known.filter(([, token]) => token.fought);
    const words = `Probability that the mask removed (solid, left), and tokens that it allowed (dashed, right, in powers of ten), token by token. `
      + `Triangles (${fights.length}): the model's likeliest token was not allowed.`;
    const svg = shape("svg", { viewBox: `0 0 ${width} ${bottom + 20}`, role: "img", "aria-label": words });
    for (const part of [0, 0.5, 1]) {
      svg.append(shape("line", { class: "axis", x1: left, x2: right, y1: share(part), y2: share(part) }));
      svg.append(shape("text", { x: left - 6, y: share(part) + 4, "text-anchor": "end" }, `${100 * part} %`));
    }
    svg.append(shape("text", { x: right + 6, y: bottom + 4 }, "1"), shape("text", { x: right + 6, y: top + 4 }, most.toLocaleString("en")));
    svg.append(line("allowed", (token) => count(token.allowed)), line("removed", (token) => share(token.removed)));
    for (const [at] of fights) svg.append(shape("path", { class: "mark", d: `M${x(at)},${bottom + 6} l4,8 h-8 z` }));
    svg.addEventListener("mousemove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = Math.floor((((event.clientX - box.left) * width) / box.width - left) / ((right - left) / Math.max(1, this.tokens.length)));
      if (this.tokens[at]) this.look(at);
    });
    this.chart.replaceChildren(svg, element("figcaption", {}, words));
  }
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shape(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function visible(token) {
  return token.is_end ? "\u23F9 end" : token.text.replaceAll("\n", "\u21B5").replaceAll("\t", "\u21E5").replaceAll("\r", "\u240D");
}

function shortened(message) {
  const line = message.trim().split(/\s+/).join(" ");
  const characters = Array.from(line);
  return characters.length > 80 ? `${characters.slice(0, 80).join("")}\u2026` : line;
}

function spoken(token) {
  return token.is_end ? "the end of the text" : token.text.trim() === "" ? "white space" : token.text;
}

function percent(value) {
  const shown = 100 * value;
  return `${shown === 0 || shown >= 10 ? shown.toFixed(shown === 100 ? 0 : 1) : shown >= 0.01 ? shown.toFixed(2) : shown.toExponential(1)} %`;
}
