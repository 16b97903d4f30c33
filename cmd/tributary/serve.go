package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

type serveCommand struct{ Settings }

// Run serves until it is told to stop.
func (s *serveCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := s.Options(sources)
	if err != nil {
		return err
	}
	raiseProcs()
	level := new(slog.LevelVar)
	log := newLogger(t.Err, options, level)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	app, err := startApp(ctx, options, appConfig{log: log, out: t.Out})
	if err != nil {
		return err
	}
	app.greet()
	for {
		select {
		case <-hangups:
			app.reload(t, level)
			continue
		case err = <-app.failed:
			log.Error("stopping", "error", err)
		case <-app.drainAsked:
			log.Info("this node is to be emptied: it takes nothing any more, and ends when nothing is left")
			if err = app.drain(ctx); err == nil {
				log.Info("this node is empty")
			}
		case <-ctx.Done():
			log.Info("stopping", "delay", app.inForce.Load().DrainDelay, "limit", app.inForce.Load().ShutdownTimeout)
			app.leave(context.WithoutCancel(ctx))
		}
		break
	}
	if stopErr := app.stop(); stopErr != nil {
		return fmt.Errorf("not everything stopped in good order: %w", stopErr)
	}
	return err
}
