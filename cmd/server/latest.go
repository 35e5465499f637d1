package server

import "context"

// latest hands on wishes of which only the newest counts.
type latest[T any] struct{ wishes chan T }

func newLatest[T any]() latest[T] { return latest[T]{wishes: make(chan T, 1)} }

// want replaces the wish. It does not block.
func (l latest[T]) want(v T) {
	for {
		select {
		case l.wishes <- v:
			return
		default:
		}
		select {
		case <-l.wishes:
		default:
		}
	}
}

// follow does what is wanted until ctx ends. When something else is wanted, what is being done is told
// to end, and has ended before the next begins.
func (l latest[T]) follow(ctx context.Context, do func(context.Context, T)) {
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-l.wishes:
			l.doUntilNext(ctx, v, do)
		}
	}
}

func (l latest[T]) doUntilNext(ctx context.Context, v T, do func(context.Context, T)) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do(ctx, v)
		<-ctx.Done()
	}()
	select {
	case <-ctx.Done():
	case next := <-l.wishes:
		l.want(next)
	}
	stop()
	<-ended
}
