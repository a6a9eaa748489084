import { Component, h } from 'preact';

/* A component that is not rendered again while same(before, now). */
export function memo(Inner, same) {
  return class Memo extends Component {
    shouldComponentUpdate(next) {
      return !same(this.props, next);
    }
    render() {
      return h(Inner, this.props);
    }
  };
}
