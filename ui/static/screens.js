// Tells Streamlit where its server is: at the root of this address, whatever page this is.
window.__streamlit = { BACKEND_BASE_URL: window.location.origin };

// Scrolls a question to the top once, when it is asked, so that its answer is read from the beginning.
let underWay = false;
new MutationObserver(() => {
  const question = document.querySelector(".sr-under-way");
  if (question && !underWay) question.scrollIntoView({ block: "start" });
  underWay = question !== null;
}).observe(document.documentElement, { childList: true, subtree: true });
