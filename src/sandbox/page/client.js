/**
 * The sandbox's page: shows what the server streams, and sends a reviewer's decision. Every text is
 * set as text, never as markup.
 */
const byId = (id) => document.getElementById(id);

function element(name, options = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key === "text") made.textContent = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const TONES = { PENDING_APPROVAL: "wait", REJECTED: "bad", EXPIRED: "bad" };

function words(name) {
  const text = name.toLowerCase().replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
}

/** Sends one decision; the stream shows what came of it. */
async function decide(button, request, reviewer, decision) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(`requests/${encodeURIComponent(request.id)}/review`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ userId: reviewer.id, decision }),
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
  } catch (cause) {
    byId("news").textContent = `The decision was not taken: ${cause.message}`;
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function reviewButton(request, reviewer, decision) {
  const verb = decision === "APPROVE" ? "Approve" : "Reject";
  const button = element("button", {
    type: "button",
    text: verb,
    "aria-label": `${verb} as ${reviewer.name}: ${request.title}`,
    "data-key": `${request.id} ${reviewer.id} ${decision}`,
    ...(decision === "APPROVE" ? { class: "main" } : {}),
  });
  button.addEventListener("click", () => decide(button, request, reviewer, decision));
  return button;
}

/** A reviewer's name and both buttons, in one line. */
function reviewerRow(request, reviewer) {
  return element("li", {}, [
    element("span", { text: reviewer.name }),
    reviewButton(request, reviewer, "APPROVE"),
    reviewButton(request, reviewer, "REJECT"),
  ]);
}

/** `Hosting, tb1q…`: what a machine reads is in another font than a name. */
function factParts(value) {
  const [, name = "", code = ""] = /^(.*, |)(\S{25,})$/.exec(value) ?? [];
  return code === "" ? [value] : [name, element("code", { text: code })];
}

function stepItem({ text, isCurrent }) {
  return element("li", isCurrent ? { "aria-current": "step", text } : { text });
}

function requestCard(request) {
  const state = element("span", {
    class: `state ${TONES[request.state] ?? "good"}`,
    text: words(request.state),
  });
  const facts = request.facts.flatMap(([name, value]) => [
    element("dt", { text: name }),
    element("dd", {}, factParts(value)),
  ]);
  const rows = request.reviewers.map((reviewer) => reviewerRow(request, reviewer));
  return element("li", { "data-id": request.id }, [
    element("div", { class: "head" }, [
      element("h3", { text: request.title, tabindex: "-1" }),
      state,
    ]),
    element("dl", {}, facts),
    element("ol", { class: "steps", "aria-label": "Steps" }, request.steps.map(stepItem)),
    ...(rows.length === 0
      ? []
      : [element("ul", { class: "actions", "aria-label": "Reviewers" }, rows)]),
  ]);
}

const shown = new Map();

/** Replaces only what changed, so that a keyboard's place is kept. */
function showRequests(requests) {
  const list = byId("request-list");
  const focused = document.activeElement?.getAttribute?.("data-key");
  const holder = document.activeElement?.closest?.("[data-id]")?.getAttribute("data-id");
  for (const [at, request] of requests.entries()) {
    const text = JSON.stringify(request);
    const known = shown.get(request.id);
    const item = known?.text === text ? known.item : requestCard(request);
    if (known !== undefined && known.item !== item) known.item.replaceWith(item);
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
    if (known !== undefined && known.state !== request.state) announce(request);
    if (known === undefined && shown.ready) announce(request);
    shown.set(request.id, { text, item, state: request.state });
  }
  shown.ready = true;
  if (holder === null || holder === undefined || document.activeElement?.closest?.("[data-id]"))
    return;
  const item = shown.get(holder)?.item;
  const place = [...(item?.querySelectorAll("button") ?? [])].find(
    (button) => button.getAttribute("data-key") === focused,
  );
  (place ?? item?.querySelector("h3"))?.focus();
}

function announce({ title, state }) {
  byId("news").textContent = `${title}: ${words(state)}.`;
}

function cells(...values) {
  return values.map(([text, kind]) =>
    kind === "code"
      ? element("td", {}, [element("code", { text })])
      : element("td", kind === undefined ? { text } : { class: kind, text }),
  );
}

function show(state) {
  byId("workspace").textContent = state.workspace;
  byId("faults").hidden = state.faults.length === 0;
  byId("fault-list").replaceChildren(...state.faults.map((text) => element("li", { text })));
  showRequests(state.requests);
  byId("account-list").replaceChildren(
    ...state.accounts.map(({ name, currency, balance, address }) =>
      element("tr", {}, [
        element("th", { scope: "row", text: name }),
        ...cells([currency], [balance, "number"], [address, "code"]),
      ]),
    ),
  );
  byId("call-list").replaceChildren(
    ...state.calls.map(({ at, status, call }) =>
      element(
        "tr",
        {},
        cells([at], [status, `number ${Number(status) < 400 ? "good" : "bad"}`], [call, "code"]),
      ),
    ),
  );
}

const stream = new EventSource("events");
stream.addEventListener("open", () => {
  byId("connection").textContent = "Live";
  byId("connection").className = "state good";
});
stream.addEventListener("error", () => {
  byId("connection").textContent = "The sandbox does not answer. It may have been stopped.";
  byId("connection").className = "state bad";
});
stream.addEventListener("message", (event) => show(JSON.parse(event.data)));
