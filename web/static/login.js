// The token may stand behind the # of the address, which no server is told.
const token = decodeURIComponent(location.hash.slice(1));
const form = document.querySelector("[data-login]");
if (token && form) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.token.value = token;
  form.requestSubmit();
}
