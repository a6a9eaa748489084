/* How states look: one place, so that a state looks the same on every page. */
import { State } from './basic.jsx';

const documentStates = {
  receiving: ['work', 'down', 'octets are coming in'],
  received: ['work', 'down', 'taken into custody, to be opened'],
  opened: ['work', 'dots', 'opened and verified, to be processed'],
  processing: ['work', 'dots', 'its process runs'],
  processed: ['good', 'check', 'its process is done'],
  refused: ['bad', 'cross', 'not accepted; the partner was told'],
  failed: ['bad', 'cross', 'kept; it can be tried again'],
  queued: ['work', 'clock', 'waits to be sealed'],
  sealed: ['work', 'clock', 'signed and encrypted as agreed, waits to be sent'],
  sending: ['work', 'up', 'octets are going out'],
  sent: ['work', 'clock', 'with the partner; the receipt is awaited'],
  acknowledged: ['good', 'check', 'the partner has acknowledged it'],
  rejected: ['bad', 'cross', 'the partner has rejected it'],
  overdue: ['warn', 'alert', 'no receipt came in time'],
};

export const documentStateNames = Object.keys(documentStates);

export function DocumentState({ state }) {
  const [tone, icon, title] = documentStates[state] ?? ['idle', 'dots', undefined];
  return (
    <State tone={tone} icon={icon} title={title}>
      {state}
    </State>
  );
}

const listenerStates = { listening: ['good', 'check'], paused: ['warn', 'pause'], errored: ['bad', 'cross'] };

export function ListenerState({ state }) {
  const [tone, icon] = listenerStates[state] ?? ['idle', 'dots'];
  return (
    <State tone={tone} icon={icon}>
      {state}
    </State>
  );
}

/* in: from the partner; out: to it. */
export function Direction({ direction }) {
  return <span class={`direction ${direction}`}>{direction === 'in' ? '↓ in' : '↑ out'}</span>;
}
