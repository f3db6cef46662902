
'use strict';
/* The page brings itself up to date: it asks for itself, and takes over what differs. */
const period = 2000, patience = 5000;
let answered = Date.now();

function take(text) {
  const fresh = new DOMParser().parseFromString(text, 'text/html');
  document.title = fresh.title;
  document.body.dataset.level = fresh.body.dataset.level;
  const icon = fresh.querySelector('link[rel=icon]');
  const old = document.querySelector('link[rel=icon]');
  if (old.href !== icon.href) old.href = icon.href;
  for (const part of fresh.querySelectorAll('[id]')) {
    const here = document.getElementById(part.id);
    if (here && here.innerHTML !== part.innerHTML) here.replaceChildren(...part.childNodes);
    if (here && here.className !== part.className) here.className = part.className;
  }
}

function lost() {
  const seconds = Math.round((Date.now() - answered) / 1000);
  document.body.dataset.level = 'bad';
  document.querySelector('main').className = 'stale';
  document.title = document.title.replace(/^[^:]*:/, 'no answer:');
  const verdict = document.getElementById('verdict');
  verdict.replaceChildren();
  verdict.appendChild(document.createElement('strong')).textContent = '\u2717 varve does not answer';
  verdict.append(' for ' + seconds + '\u00a0s; what stands below is what it said last');
}

async function refresh() {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), patience);
  try {
    const answer = await fetch(location.pathname, { signal: cut.signal, cache: 'no-store' });
    if (!answer.ok) throw new Error();
    take(await answer.text());
    answered = Date.now();
    document.querySelector('main').className = '';
  } catch (e) {
    lost();
  }
  clearTimeout(timer);
  setTimeout(refresh, period);
}
setTimeout(refresh, period);
