// The button "Notify me in this browser" of the demo page. A page of your own needs no more than this.

import { NotifierPush } from "../push/notifier-push.js";

const section = document.getElementById("push");
const [button, status] = [section.querySelector("button"), section.querySelector(".state")];
const { tokenUrl, worker, readOnly } = section.dataset;

if (readOnly !== undefined) {
  status.textContent = "You look at the inbox of another person: only that person can turn notifications on.";
} else {
  const push = new NotifierPush({ tokenUrl, serviceWorker: worker });
  let state = "default";
  const show = (text) => {
    status.textContent = text;
    button.textContent = state === "subscribed" ? "Stop notifying me in this browser" : "Notify me in this browser";
    button.disabled = state === "unsupported" || state === "denied";
  };
  push.addEventListener("change", ({ detail }) => {
    state = detail.state;
    section.dataset.state = state;
    show(detail.message);
  });
  push.addEventListener("error", ({ detail }) => show(detail.message));
  button.addEventListener("click", () => {
    (state === "subscribed" ? push.unsubscribe() : push.subscribe()).catch(() => {}); // told by the event "error"
  });
}
