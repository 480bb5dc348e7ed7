// Asks for the agent's state once a second and shows it. Everything that comes from outside is
// set as text, never as markup: alerts hold whatever a watched program chose to be called.
"use strict";

const $ = (id) => document.getElementById(id);
const KEEP = 300;
const alerts = [];
let lastSeq = 0, agent = 0, paused = false, previous = null;
const rates = [];

const number = (n) => new Intl.NumberFormat("en").format(n);
const bytes = (n) => n >= 2 ** 30 ? (n / 2 ** 30).toFixed(1) + " GiB" : (n / 2 ** 20).toFixed(1) + " MiB";

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function big(id, value, unit) {
  const place = $(id);
  place.replaceChildren(String(value));
  if (unit) place.append(make("small", unit));
}

function span(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [size, name] of units) if (seconds >= size) return Math.floor(seconds / size) + " " + name;
  return Math.floor(seconds) + " s";
}

// What stands behind time and priority in an alert's text; the whole of anything else.
function message(alert) {
  if (alert.output.startsWith("{")) {
    try { return JSON.parse(alert.output).output ?? alert.output; } catch { return alert.output; }
  }
  return alert.output;
}
function body(alert) {
  const text = message(alert);
  const at = text.indexOf(alert.priority + " ");
  return at >= 0 && at < 48 ? text.slice(at + alert.priority.length + 1) : text;
}

function row(alert, fresh) {
  const item = make("li", undefined, "p-" + alert.priority.toLowerCase() + (fresh ? " fresh" : ""));
  const time = make("time", new Date(alert.time_ms).toLocaleTimeString("en-GB"));
  time.dateTime = new Date(alert.time_ms).toISOString();
  item.append(time, make("b", alert.rule), make("span", alert.priority, "tag"), make("p", body(alert)));
  return item;
}

function matches(alert) {
  const wanted = $("filter").value.trim().toLowerCase();
  return !wanted || (alert.rule + " " + alert.priority + " " + alert.output).toLowerCase().includes(wanted);
}

function redraw() {
  $("list").replaceChildren(...alerts.filter(matches).map((alert) => row(alert, false)));
  quiet();
}
function quiet() {
  const shown = $("list").childElementCount;
  $("quiet").hidden = shown > 0;
  $("quiet").textContent = alerts.length ? "No alert matches the filter." : "No alert yet. The newest will stand on top.";
}

function addAlerts(fresh, isFirst) {
  for (const alert of fresh) {
    alerts.unshift(alert);
    if (!paused && matches(alert)) $("list").prepend(row(alert, !isFirst));
  }
  alerts.length = Math.min(alerts.length, KEEP);
  while ($("list").childElementCount > KEEP) $("list").lastElementChild.remove();
  quiet();
}

function spark() {
  const top = Math.max(1, ...rates), width = 120, step = width / 59;
  const points = rates.map((rate, at) => [(60 - rates.length + at) * step, 26 - rate / top * 22]);
  const path = points.map(([x, y], at) => (at ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1)).join("");
  $("line").querySelector(".stroke").setAttribute("d", path);
  const area = points.length > 1 ? path + "L" + width + " 28L" + points[0][0].toFixed(1) + " 28Z" : "";
  $("line").querySelector(".area").setAttribute("d", area);
}

function showRates(state) {
  if (previous && state.now_ms > previous.now_ms) {
    const seconds = (state.now_ms - previous.now_ms) / 1000;
    rates.push(Math.max(0, (state.events - previous.events) / seconds));
    if (rates.length > 60) rates.shift();
    big("rate", number(Math.round(rates.at(-1))), "/s");
    big("cpu", ((state.cpu_seconds - previous.cpu_seconds) / seconds * 100).toFixed(1), "% of a CPU");
    spark();
  }
  previous = state;
}

function showTiles(state) {
  $("where").textContent = [state.hostname, "version " + state.version, state.kernel].filter(Boolean).join(" · ");
  $("events").textContent = number(state.events) + " in " + span((state.now_ms - state.started_ms) / 1000);
  big("alerts-total", number(state.alerts_total));
  $("latency").textContent = state.latency_ms === null ? "none measured yet" : "half of them within " + state.latency_ms + " ms";
  const lost = state.drops.reduce((sum, drop) => sum + drop.count, 0) + state.alerts_dropped;
  big("lost", number(lost));
  $("lost").classList.toggle("bad", lost > 0);
  $("lost-sub").textContent = lost ? number(state.alerts_dropped) + " of them alerts" : "no event, no alert";
  const { can_fire: can, blind, disabled } = state.coverage;
  big("coverage", can, "of " + (can + blind) + " rules can fire");
  $("coverage-sub").textContent = blind + " blind, " + disabled + " disabled";
  const all = Math.max(1, can + blind + disabled);
  [["can", can], ["blind", blind], ["off", disabled]].forEach(([name, count]) => {
    $("coverage-bar").querySelector("." + name).style.width = count / all * 100 + "%";
  });
  $("memory").textContent = bytes(state.rss_bytes) + ", " + number(state.processes) + " processes known";
  const down = state.sources.filter((source) => !source.up).length;
  say(down ? down + " of " + state.sources.length + " sources down" : "watching", down ? "warn" : "good");
}

function showLists(state) {
  $("sources").replaceChildren(...state.sources.map((source) => {
    const item = make("li");
    const told = state.by_source.find((one) => one.source === source.name);
    item.append(make("span", undefined, source.up ? "dot up" : "dot"), make("span", source.name),
      make("span", source.up ? number(told ? told.count : 0) + " events" : "not available"));
    return item;
  }));
  const order = (rule) => [-rule.count, rule.state === "can_fire" ? 0 : 1];
  const rules = [...state.rules].sort((a, b) => {
    const [x, y] = [order(a), order(b)];
    return x[0] - y[0] || x[1] - y[1] || a.name.localeCompare(b.name);
  });
  $("rules-count").textContent = rules.length + " loaded";
  $("rules").replaceChildren(...rules.map((rule) => {
    const line = make("tr", undefined, rule.state + (rule.count ? " hit" : ""));
    const name = make("td", rule.name);
    if (rule.state !== "can_fire") name.append(make("em", rule.state));
    line.append(name, make("td", number(rule.count)));
    return line;
  }));
  const drops = state.drops.length ? state.drops : [{ source: "nothing was lost", cause: "", count: "" }];
  $("drops").replaceChildren(...drops.map((drop) => {
    const item = make("li");
    item.append(make("span", drop.cause ? drop.source + ": " + drop.cause : drop.source), make("span", drop.count === "" ? "" : number(drop.count)));
    return item;
  }));
}

function say(text, className) {
  $("status").textContent = text;
  $("status").className = className;
}

async function ask() {
  try {
    const answer = await fetch("/api/state?after=" + lastSeq, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const state = await answer.json();
    if (state.started_ms !== agent) {
      // Another agent, which numbers its alerts anew.
      const isKnown = agent !== 0;
      agent = state.started_ms;
      previous = null;
      if (isKnown) { lastSeq = 0; return; }
    }
    addAlerts(state.alerts, lastSeq === 0);
    lastSeq = state.last_seq;
    showRates(state);
    showTiles(state);
    showLists(state);
  } catch {
    previous = null;
    say("no answer", "bad");
  } finally {
    setTimeout(ask, 1000);
  }
}

$("filter").addEventListener("input", redraw);
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (!paused) redraw();
});
ask();
