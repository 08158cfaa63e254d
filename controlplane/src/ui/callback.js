// Where a provider sends people back to after signing in. Hands what came back to the dashboard, which waits in
// another window of this origin; when none does, ends the sign-in by itself. Nothing goes to any other origin.
'use strict';

const PATIENCE_MS = 1500;
const status = document.getElementById('status');
const query = new URLSearchParams(location.search);
const state = query.get('state') ?? '';
const message = {
  type: 'omniroute-oauth',
  callbackUrl: location.href,
  code: query.get('code'),
  state,
  error: query.get('error'),
  errorDescription: query.get('error_description'),
};
// a code is used once, and need not stay in the address bar
history.replaceState(null, '', location.pathname);

async function exchange() {
  // a state begins with the provider it was made for
  const provider = encodeURIComponent(state.split('.')[0]);
  const response = await fetch(`/api/oauth/${provider}/exchange`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ callbackUrl: message.callbackUrl }),
  });
  if (response.ok) return 'You are signed in. This window can be closed.';
  const answer = await response.json().catch(() => null);
  return `Signing in failed: ${answer?.error?.message ?? `status ${response.status}`}`;
}

if (state === '') {
  status.textContent = 'Nothing came back from the provider. Start again in the dashboard.';
} else {
  const channel = new BroadcastChannel('omniroute-oauth');
  const alone = setTimeout(() => {
    exchange().then(
      (text) => (status.textContent = text),
      () => (status.textContent = 'The control plane cannot be reached. Start again in the dashboard.'),
    );
  }, PATIENCE_MS);
  channel.onmessage = (event) => {
    if (event.data?.type !== 'omniroute-oauth-taken' || event.data.state !== state) return;
    clearTimeout(alone);
    status.textContent = 'Done: go on in the dashboard. This window can be closed.';
    window.close();
  };
  channel.postMessage(message);
  window.opener?.postMessage(message, location.origin);
}
