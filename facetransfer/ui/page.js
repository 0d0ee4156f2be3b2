// What the page does by itself, without the server: pictures pasted or dropped anywhere, the result copied or shared,
// a question before work is lost, and what comes back after a reload.
(() => {
  const ROLES = ["content", "style"];
  let hovered = null; // the upload that the pointer was over last

  const upload = role => document.querySelector(`#${role} input[type=file]`);
  const filled = role => Boolean(document.querySelector(`#${role} img`));

  async function put(file, role) { // as if the person had chosen the file there
    if (filled(role)) {
      document.querySelector(`#${role} button[aria-label="Remove Image"], #${role} button[title^="Remove"]`)?.click();
      for (let i = 0; i < 40 && !upload(role); i++) await new Promise(resolve => setTimeout(resolve, 25));
    }
    const input = upload(role), files = new DataTransfer();
    if (!input) return;
    files.items.add(file);
    input.files = files.files;
    input.dispatchEvent(new Event("change", {bubbles: true}));
  }
  async function take(files) { // the first into the upload under the pointer, or the first that is empty
    const pictures = [...files].filter(file => file.type.startsWith("image/") || /\.(avif|hei[cf])$/i.test(file.name));
    const order = hovered ? [hovered, ...ROLES.filter(role => role !== hovered)]
      : [...ROLES.filter(role => !filled(role)), ...ROLES.filter(filled)];
    for (const [i, file] of pictures.slice(0, 2).entries()) await put(file, order[i]);
  }

  addEventListener("pointermove", event => { hovered = event.target.closest?.("#content, #style")?.id ?? null; }, {passive: true});
  addEventListener("paste", event => {
    const files = event.clipboardData?.files ?? [];
    if (!files.length || event.target.closest?.("input, textarea")) return;
    event.preventDefault();
    take(files);
  });
  const carriesFiles = event => [...event.dataTransfer?.types ?? []].includes("Files");
  const elsewhere = event => !event.target.closest?.("#many-room, #film-room, #map-files, #restore");
  addEventListener("dragover", event => { if (carriesFiles(event) && elsewhere(event)) event.preventDefault(); });
  addEventListener("drop", event => {
    if (event.defaultPrevented || !carriesFiles(event) || !elsewhere(event)) return;
    event.preventDefault();
    hovered = event.target.closest?.("#content, #style")?.id ?? null;
    take(event.dataTransfer.files);
  });

  addEventListener("beforeunload", event => { // what a person brought or made is gone after a reload
    if (document.querySelector("#gallery img") || window.faceMaps?.tools.done.length) event.preventDefault();
  });

  addEventListener("click", event => { // where in the result somebody asks for the source of a patch
    const sheet = event.target.closest?.("#result img")?.closest(".tabitem"), box = sheet?.getBoundingClientRect();
    if (!sheet) return;
    const ring = sheet.querySelector("#clicked") ?? sheet.appendChild(Object.assign(document.createElement("i"), {id: "clicked"}));
    ring.style.left = `${(event.clientX - box.left) / box.width * 100}%`;
    ring.style.top = `${(event.clientY - box.top) / box.height * 100}%`;
  });

  // A reload brings the visit back: the tab remembers where its files lie on the server, which keeps them for an hour,
  // and what was painted. Whoever opens the page anew begins anew.
  const keep = told => {
    try { sessionStorage.setItem("visit", JSON.stringify(told)); } catch { /* too much, or the browser forbids it */ }
  };
  const kept = () => { // once
    try {
      const told = JSON.parse(sessionStorage.getItem("visit"));
      sessionStorage.removeItem("visit");
      return told;
    } catch { return null; }
  };
  const place = image => decodeURIComponent(image?.src.split("/file=")[1] ?? "") || null;
  addEventListener("pagehide", () => {
    const maps = window.faceMaps?.tools.maps ?? [];
    const results = [...document.querySelectorAll("#gallery .thumbnail-item img")].map(image => place(image)?.split("/").at(-2));
    const told = {pictures: ROLES.map(role => place(document.querySelector(`#${role} img`))),
      drawn: maps.map(map => map.layer && map.props.value), results};
    keep(told);
  });

  const LOOK_EVERY = 4000, IDLE = 120000; // milliseconds between two looks, and after which nobody looks
  let moved = Date.now(); // when the person last did something here
  for (const what of ["pointermove", "pointerdown", "keydown", "scroll", "focus"])
    addEventListener(what, () => { moved = Date.now(); }, {passive: true, capture: true});

  function say(button, words) { // in place of its label, for a moment
    const label = button.textContent;
    button.textContent = words;
    setTimeout(() => { button.textContent = label; }, 2000);
  }

  window.facePage = {
    lookNowAndThen(look) { // while somebody is here and nothing of theirs is on its way, which tells of itself
      const due = () => document.visibilityState === "visible" && Date.now() - moved < IDLE
        && document.querySelector("#stop[disabled]");
      const next = () => { if (due()) look(); };
      setInterval(next, LOOK_EVERY);
      document.addEventListener("visibilitychange", next);
    },
    comeBack(tell) {
      const told = kept(), again = ["reload", "back_forward"].includes(performance.getEntriesByType("navigation")[0]?.type);
      if (again && told && [...told.pictures, ...told.results].some(Boolean)) tell(told);
    },
    async share() { // phones have a sheet for it, desktops a clipboard
      const button = document.querySelector("#copy-result"), image = document.querySelector("#result img");
      if (!image) return say(button, "Press Run first");
      const blob = await (await fetch(image.src)).blob(), png = blob.type === "image/png" ? blob : await asPng(image);
      const file = new File([png], "face-transfer.png", {type: "image/png"});
      try {
        if (matchMedia("(pointer: coarse)").matches && navigator.canShare?.({files: [file]})) await navigator.share({files: [file]});
        else { await navigator.clipboard.write([new ClipboardItem({"image/png": png})]); say(button, "Copied"); }
      } catch (error) {
        if (error.name !== "AbortError") say(button, "Not allowed by this browser");
      }
    },
    async copyLink(query) {
      const button = document.querySelector("#copy-link");
      try {
        await navigator.clipboard.writeText(location.origin + location.pathname + query);
        say(button, "Copied");
      } catch {
        say(button, "Not allowed by this browser");
      }
    },
  };
  function asPng(image) {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return new Promise(resolve => canvas.toBlob(resolve, "image/png"));
  }
})();
