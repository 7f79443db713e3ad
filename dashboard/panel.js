// Shows HTML that safe.html built. Keyed children keep their nodes between updates, so nothing flickers; a reader who has
// scrolled down stays at the same item and is told how many came in above. Links with data-page move within the app,
// buttons with data-mark correct what is shown.
function morph(from, to) {
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  const keyed = new Map([...from.children].filter((c) => c.dataset?.key).map((c) => [c.dataset.key, c]));
  const fresh = [];
  let cursor = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = wanted.dataset?.key;
    let have = key ? keyed.get(key) : null;
    if (!key && cursor && cursor.nodeName === wanted.nodeName && !cursor.dataset?.key) have = cursor;
    if (!have) {
      from.insertBefore(wanted, cursor);
      if (key && keyed.size) fresh.push(wanted);
      continue;
    }
    if (have === cursor) cursor = cursor.nextSibling;
    else from.insertBefore(have, cursor);
    if (have.nodeType !== Node.ELEMENT_NODE) {
      if (have.nodeValue !== wanted.nodeValue) have.nodeValue = wanted.nodeValue;
    } else fresh.push(...morph(have, wanted));
  }
  while (cursor) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
  return fresh;
}

function update(root, wanted) {
  const list = root.querySelector(".fx-scroll");
  const top = list ? list.scrollTop : 0;
  const anchor = top > 4 ? [...list.children].find((c) => c.dataset.key && c.offsetTop + c.offsetHeight > list.offsetTop + top) : null;
  const before = anchor ? anchor.offsetTop : 0;
  const fresh = morph(root, wanted);
  for (const node of fresh) node.classList.add("fx-new");
  if (!list) return;
  if (anchor && anchor.isConnected) list.scrollTop = top + anchor.offsetTop - before;
  const more = root.querySelector(".fx-more");
  if (!more) return;
  list.fxUnseen = list.scrollTop > 4 ? (list.fxUnseen || 0) + fresh.length : 0;
  const label = () => {
    more.hidden = !list.fxUnseen;
    more.textContent = more.dataset.label.replace("#", list.fxUnseen);
  };
  label();
  more.onclick = () => list.scrollTo({ top: 0, behavior: "smooth" });
  list.onscroll = () => {
    if (list.scrollTop <= 4 && list.fxUnseen) {
      list.fxUnseen = 0;
      label();
    }
  };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".fx-panel");
  const template = document.createElement("template");
  template.innerHTML = '<div class="fx-panel">' + data.html + "</div>";
  update(root, template.content.firstChild);
  root.onclick = (event) => {
    const button = event.target.closest("button[data-mark]");
    if (button) {
      button.disabled = true;
      setTriggerValue("mark", button.dataset.mark);
      return;
    }
    const link = event.target.closest("a[data-page]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    setTriggerValue("go", link.getAttribute("href"));
  };
}
