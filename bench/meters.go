package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tributary/bench/capacity"
)

// cpuOfFamily is what a process, its living children and those it has buried have
// used: all of a PostgreSQL.
func cpuOfFamily(pid int) (time.Duration, error) {
	own, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	fields, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	for _, field := range fields[13:15] { // cutime and cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		own += time.Duration(n) * 10 * time.Millisecond
	}
	children, err := childrenOf(pid)
	if err != nil {
		return 0, err
	}
	for _, child := range children {
		if used, err := cpuTime(child); err == nil { // one that ended now is counted as buried
			own += used
		}
	}
	return own, nil
}

func statFields(pid int) ([]string, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	_, behindName, _ := strings.Cut(string(content), ") ")
	return strings.Fields(behindName), nil
}

// A meter is the processor time several processes had used at a moment.
type meter struct {
	at    time.Time
	pids  []int
	spent []time.Duration
}

func startMeter(pids ...int) (*meter, error) {
	m := &meter{pids: pids}
	var err error
	m.at, m.spent, err = m.read()
	return m, err
}

func (m *meter) read() (time.Time, []time.Duration, error) {
	var spent []time.Duration
	for _, pid := range m.pids {
		used, err := cpuOfFamily(pid)
		if err != nil {
			return time.Time{}, nil, err
		}
		spent = append(spent, used)
	}
	return time.Now(), spent, nil
}

// micros are what each process has used since the start, without what it uses at
// rest, in microseconds.
func (m *meter) micros(rest []float64) (used []float64, seconds float64, err error) {
	now, spent, err := m.read()
	if err != nil {
		return nil, 0, err
	}
	seconds = now.Sub(m.at).Seconds()
	for i := range spent {
		micros := float64((spent[i] - m.spent[i]).Microseconds())
		if rest != nil {
			micros -= rest[i] * seconds
		}
		used = append(used, max(micros, 0))
	}
	return used, seconds, nil
}

// atRest is what processes use in a second without anything to do, in microseconds.
func atRest(length time.Duration, pids ...int) ([]float64, error) {
	m, err := startMeter(pids...)
	if err != nil {
		return nil, err
	}
	time.Sleep(length)
	used, seconds, err := m.micros(nil)
	for i := range used {
		used[i] /= seconds
	}
	return used, err
}

// ownMemory is what of a process's memory is in no file: its files in memory, a
// spool's among them, the system may take back.
func ownMemory(pid int) (float64, error) { return memory(pid, "RssAnon:") }

// peakMemory is the most a process was ever resident with.
func peakMemory(pid int) (float64, error) { return memory(pid, "VmHWM:") }

func memory(pid int, name string) (float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, name); found {
			kilobytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, name)
}

// shortestPause is what counts as one: a thread that wakes up a little late does so
// in every measured cost.
const shortestPause = 50 * time.Microsecond

// napping is how long the watcher sleeps. One that never slept would be what the
// system makes wait first.
const napping = 200 * time.Microsecond

// pausesOf lets a thread sleep shortly again and again on a core, as a tracker's
// threads do between requests, and notes how late it is let run again.
func pausesOf(core int, length time.Duration) (capacity.Pauses, error) {
	runtime.LockOSThread() // never unlocked: the thread is bound to a core and ends with the goroutine
	var one unix.CPUSet
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return capacity.Pauses{}, fmt.Errorf("stay on core %d: %w", core, err)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return capacity.Pauses{}, fmt.Errorf("ask for exact timers: %w", err)
	}
	var gaps []float64
	nap := unix.NsecToTimespec(napping.Nanoseconds())
	began := time.Now()
	for last := began; last.Sub(began) < length; {
		if err := unix.Nanosleep(&nap, nil); err != nil && err != unix.EINTR {
			return capacity.Pauses{}, err
		}
		now := time.Now()
		if gap := now.Sub(last) - napping; gap >= shortestPause {
			gaps = append(gaps, float64(gap.Microseconds()))
		}
		last = now
	}
	p := capacity.Pauses{PerSecond: float64(len(gaps)) / length.Seconds()}
	slices.Sort(gaps)
	const quantiles = 200
	for i := range min(quantiles, len(gaps)) {
		p.Micros = append(p.Micros, gaps[(2*i+1)*len(gaps)/(2*min(quantiles, len(gaps)))])
	}
	return p, nil
}

// machinePauses watches both cores at once.
func machinePauses(length time.Duration) (server, generator capacity.Pauses, err error) {
	type found struct {
		pauses capacity.Pauses
		err    error
	}
	both := [2]chan found{make(chan found), make(chan found)}
	for core := range both {
		go func() {
			pauses, err := pausesOf(core, length)
			both[core] <- found{pauses, err}
		}()
	}
	first, second := <-both[0], <-both[1]
	if first.err != nil {
		return server, generator, first.err
	}
	return first.pauses, second.pauses, second.err
}
