// Tells Streamlit where its server is: at the root of this address, whatever page this is.
window.__streamlit = { BACKEND_BASE_URL: window.location.origin };

// Keeps a question that was asked below others in view, with its answer under it, until its reader scrolls or types.
{
  let known = 0;
  let asked = null;
  const look = () => {
    const questions = document.querySelectorAll(".sr-question");
    if (known > 0 && questions.length === known + 1) asked = known;
    if (questions.length < known && asked !== questions.length) asked = null;
    known = questions.length;
    if (asked !== null && asked === known - 1) questions[asked].scrollIntoView({ block: "start" });
  };
  const let_go = () => { asked = null; };
  for (const act of ["wheel", "touchmove", "pointerdown", "keydown"]) addEventListener(act, let_go, { capture: true, passive: true });
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}
