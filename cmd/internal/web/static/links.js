// Alertmanager's messages link to #/alerts?receiver=X and its own page to #/alerts?filter={...}.
// Servers never see what stands behind the #, so a script leads such a link to where it meant.

export function translate(location) {
  const old = /^#\/alerts\/?\?(.*)$/.exec(location.hash);
  if (!old) return false;
  const asked = new URLSearchParams(old[1]);
  const query = new URLSearchParams();
  const filter = asked.get("filter");
  if (filter) query.set("q", filter);
  const receiver = asked.get("receiver");
  if (receiver) query.set("receiver", receiver);
  if (![...query.keys()].length) return false;
  location.replace(location.pathname + "?" + query);
  return true;
}
