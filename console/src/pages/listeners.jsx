import { PageHead } from '../ui/basic.jsx';
import { useTitle } from '../lib/hooks.js';

function Listeners() {
  useTitle('Listeners');
  return <PageHead title="Listeners" />;
}

export default { path: "/listeners", nav: 'Listeners', icon: 'listeners', key: "l", component: Listeners };
