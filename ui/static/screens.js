// Tells Streamlit where its server is: at the root of this address, whatever page this is.
window.__streamlit = { BACKEND_BASE_URL: window.location.origin };
