// The frames of a preview: the page of an email is posted into a frame, whose answer has a policy of its own. Scripts
// never run in it.

const SHOWN = { desktop: "frame", phone: "frame", dark: "frame", text: "text", source: "source" };

export function showFrames(root, address, token) {
  for (const mail of root.querySelectorAll(".mail")) showMail(mail, address, token);
  for (const place of root.querySelectorAll("[data-picture]")) showPicture(place);
}

function showMail(mail, address, token) {
  const views = mail.querySelector(".mail__views");
  if (!views) return mail.setAttribute("data-view", "text");
  views.hidden = false;
  const show = (view) => {
    mail.dataset.view = view;
    for (const button of views.querySelectorAll("button")) button.setAttribute("aria-pressed", button.dataset.view === view);
    if (SHOWN[view] === "frame") post(mail, address, token, view === "dark");
    try { sessionStorage.setItem("mail view", view); } catch { /* the next preview begins with the desktop */ }
  };
  views.addEventListener("click", (event) => {
    const view = event.target.closest("button")?.dataset.view;
    if (view) show(view);
  });
  let kept = "desktop";
  try { kept = sessionStorage.getItem("mail view") ?? kept; } catch { /* see above */ }
  show(kept in SHOWN ? kept : "desktop");
}

function post(mail, address, token, dark) {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: address, target: mail.querySelector("iframe").name, hidden: true });
  const values = { csrfmiddlewaretoken: token, mail_html: mail.querySelector(".mail__html").value, dark: dark ? "1" : "" };
  for (const [name, value] of Object.entries(values)) {
    const field = document.createElement("textarea");
    Object.assign(field, { name, value });
    form.append(field);
  }
  document.body.append(form);
  form.submit();
  form.remove();
}

// the policy of the admin loads pictures of this site only
function showPicture(place) {
  let address;
  try { address = new URL(place.dataset.picture); } catch { return; }
  if (address.origin === location.origin) {
    const image = document.createElement("img");
    Object.assign(image, { src: address.href, alt: "" });
    place.replaceChildren(image);
  } else place.title = place.dataset.picture;
}

const previews = document.querySelector(".composer--previews");
if (previews) {
  previews.classList.add("is-live");
  showFrames(previews, previews.dataset.page, previews.querySelector("[name=csrfmiddlewaretoken]").value);
}
