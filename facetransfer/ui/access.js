// Names for the pictures and buttons that Gradio draws without one, one group for the radios of a question,
// and the page shown when its parts are in their places.
(() => {
  const WORDS = {content: "content picture", style: "style picture", result: "result",
    source: "where the patch came from", slider: "before and after",
    gallery: "results of this visit", compared: "the four methods"};
  // Milliseconds: without a change of the page's height; and after which it is shown however it is.
  const STEADY = 250, LONGEST = 6000;
  let asked = false;

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
    const questions = document.querySelectorAll("fieldset:has(input[type=radio])");
    for (const [i, question] of questions.entries()) // the arrows move within a name
      for (const radio of question.querySelectorAll("input[type=radio]")) radio.name = `question-${i}`;
  }
  function ask() {
    if (!asked) requestAnimationFrame(nameAll);
    asked = true;
  }

  function showWhenSteady() {
    let height = 0, since = performance.now();
    const first = since, root = document.documentElement;
    const look = () => {
      const now = performance.now(), tall = document.body.scrollHeight;
      if (tall !== height || !document.querySelector("#consent p")) { height = tall; since = now; }
      if (now - since < STEADY && now - first < LONGEST) return requestAnimationFrame(look);
      root.classList.remove("settling");
    };
    look();
  }

  document.documentElement.classList.add("settling");
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(ask).observe(document.body, {childList: true, subtree: true});
    showWhenSteady();
  });
})();
