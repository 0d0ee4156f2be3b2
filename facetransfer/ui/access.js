// Names for the pictures and buttons that Gradio draws without one, one group for the radios of a question,
// and the page shown when its parts are in their places.
(() => {
  const WORDS = {content: "content picture", style: "style picture", result: "result",
    source: "where the patch came from", slider: "before and after",
    gallery: "results of this visit", compared: "the four methods",
    variants: "variants", tried: "styles"};
  // Milliseconds: without a change of the page's height or of its parts; that one frame counts for at most, since nothing
  // is put together while a slow machine makes it; and after which the page is shown however it is.
  const STEADY = 250, FRAME = 50, LONGEST = 30000;
  let asked = false, questions = 0;

  function name(element, words) {
    const own = element.getAttribute("aria-label") || element.title || element.textContent.trim();
    if (own.toLowerCase().includes(words)) return;
    element.setAttribute("aria-label", own ? `${own}: ${words}` : words);
  }
  function nameAll() {
    asked = false;
    for (const [id, words] of Object.entries(WORDS)) {
      for (const picture of document.querySelectorAll(`#${id} img`)) if (!picture.alt) picture.alt = words;
      for (const one of document.querySelectorAll(`#${id} :is(button, input)`)) name(one, words);
    }
    // Gradio names its empty rooms, which only what has a role may be.
    for (const one of document.querySelectorAll("div.empty[aria-label]:not([role])")) one.setAttribute("role", "img");
    for (const question of document.querySelectorAll("fieldset:has(input[type=radio])")) {
      // The arrows move within a name. It is given once: two questions of one name would untick each other.
      question.dataset.name ??= `question-${questions++}`;
      for (const radio of question.querySelectorAll("input[type=radio]")) radio.name = question.dataset.name;
    }
  }
  function ask() {
    if (!asked) requestAnimationFrame(nameAll);
    asked = true;
  }

  function showWhenSteady() {
    const first = performance.now(), parts = document.getElementsByTagName("*");
    let before = "", last = first, steady = 0;
    const look = () => {
      const now = performance.now(), there = `${document.body.scrollHeight} ${parts.length}`;
      const whole = document.querySelector("#run") && document.querySelector("#consent p");
      steady = whole && there === before ? steady + Math.min(now - last, FRAME) : 0;
      [before, last] = [there, now];
      if (steady < STEADY && now - first < LONGEST) return requestAnimationFrame(look);
      document.documentElement.classList.remove("settling");
    };
    look();
  }

  document.documentElement.classList.add("settling");
  function begin() {
    new MutationObserver(ask).observe(document.body, {childList: true, subtree: true});
    ask();
    showWhenSteady();
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
