package spool

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	powerSeed  = flag.Int64("powerloss.seed", -1, "simulate this one seed of power cuts and tell what happened")
	powerSeeds = flag.Uint64("powerloss.seeds", powerSeedsByDefault, "simulate so many seeds of power cuts")
	powerFirst = flag.Uint64("powerloss.first", 0, "first of the seeds")
)

// powerRun is one seed: a log that lives several lives on a simulated disk, each ended by a power cut, a kill or a
// clean stop, also in the middle of Open or Close, while producers append and a consumer reads and commits.
type powerRun struct {
	random *rand.Rand
	judge  *powerJudge
	flaws  simFlaws
	disk   *simDisk
	log    io.Writer // of -powerloss.seed
	sum    uint64    // of the trace

	within         time.Duration
	maxWait        time.Duration
	maxRecordBytes int
}

// powerOutcome tells runs of one seed apart.
type powerOutcome struct {
	err     error
	sum     uint64
	records int
	seen    int
}

func runPower(t *testing.T, seed uint64, flaws simFlaws, log io.Writer) (o powerOutcome) {
	synctest.Test(t, func(t *testing.T) {
		r := &powerRun{random: rand.New(rand.NewPCG(seed, 0)), judge: newPowerJudge(seed), flaws: flaws, disk: newSimDisk(), log: log}
		// Odd times, so that few timers of the log end at the same moment: who is first then is left to chance.
		r.within = []time.Duration{0, 0, 0, 3_456_789, 7_000_003, 23_456_789, 61_234_567}[r.random.IntN(7)]
		r.maxWait = []time.Duration{5 * time.Millisecond, 100 * time.Millisecond}[r.random.IntN(2)]
		r.maxRecordBytes = 16 + r.random.IntN([]int{100, 480}[r.random.IntN(2)])
		lives := 2 + r.random.IntN(3)
		for life := range lives {
			r.live(life, life == lives-1)
			if r.judge.verdict() != nil {
				break
			}
		}
		r.judge.order()
		o = powerOutcome{r.judge.verdict(), r.sum, len(r.judge.records), len(r.judge.bySeq)}
	})
	return o
}

func (r *powerRun) trace(what string) {
	r.sum = hashOf(r.sum, what)
	if r.log != nil {
		fmt.Fprintln(r.log, time.Now().Format("05.000000000"), what)
	}
}

// options are those of one life: what an operator may change between two starts changes.
func (r *powerRun) options(last bool) Options {
	o := Options{Dir: "/var/lib/spool", SyncWithin: r.within, MaxWait: r.maxWait, MaxRecordBytes: r.maxRecordBytes,
		Shards: 1 + r.random.IntN(3), RingBytes: 4096 << r.random.IntN(2), FillAhead: r.random.IntN(3) == 0}
	o.SegmentBytes = int64(segmentHeaderBytes + markBytes + frameBytes(o.MaxRecordBytes) + r.random.IntN(3000))
	if !last && r.random.IntN(6) == 0 {
		o.MaxBytes = int64(o.Shards*o.RingBytes) + (2+r.random.Int64N(4))*o.SegmentBytes
	}
	return o
}

// powerLife is one life of the process.
type powerLife struct {
	run     *powerRun
	number  int
	options Options
	machine *simMachine
	steady  bool // the disk is fast and does not fail, so that promises about time hold
	last    bool
	random  *rand.Rand // of the process

	mu   sync.Mutex
	over bool // whatever the process still does, nobody hears of it
	log  *Log
}

// live runs one life.
func (r *powerRun) live(number int, last bool) {
	v := &powerLife{run: r, number: number, options: r.options(last), last: last,
		steady: last || r.random.IntN(3) > 0, random: rand.New(rand.NewPCG(r.random.Uint64(), 1))}
	var faults uint64
	if !v.steady && r.random.IntN(2) == 0 {
		faults = 4 + r.random.Uint64N(60)
	}
	v.machine = newSimMachine(r.disk, r.flaws, r.random.Uint64(), faults, r.random.Uint64N(8), r.trace)
	steps := []int{40, 150, 500}[r.random.IntN(3)]
	steps = r.random.IntN(steps)
	r.trace(fmt.Sprintf("life %d: %+v, steady %v, faults %d, steps %d", number, v.options, v.steady, faults, steps))
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { defer close(done); v.process(stop) }()
	for range steps {
		v.step(done)
	}
	end := r.random.IntN(4)
	if end == 0 || last { // a clean stop, which may be cut short
		close(stop)
		patience := r.random.IntN(200)
		for finished := false; !finished && (last || patience > 0); patience-- {
			finished = v.step(done)
		}
	}
	synctest.Wait()
	v.mu.Lock()
	v.over = true
	v.mu.Unlock()
	power := end != 1
	r.judge.died(time.Now(), power)
	r.trace(fmt.Sprint("the end, power cut: ", power))
	r.disk = v.machine.die(r.random, power)
	if end != 0 && !last {
		close(stop)
	}
	<-done
}

// step lets the machine do one thing, or time pass. It reports whether the process has ended.
func (v *powerLife) step(done <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
	}
	random := v.run.random
	if random.IntN(16) == 0 {
		v.told(func() { v.machine.writeBack(random) })
	}
	since, busy := v.machine.oldest()
	pause := time.Duration(random.Int64N(int64(3 * time.Millisecond)))
	if v.steady && busy {
		pause = min(pause/1000, v.run.within/400)
		if time.Since(since) > pause {
			pause = 0
		}
	}
	if busy && (pause == 0 || random.IntN(3) > 0) {
		v.machine.next(random)
		return false
	}
	timer := time.NewTimer(pause + 1)
	defer timer.Stop()
	if busy {
		<-timer.C
		return false
	}
	select {
	case <-timer.C:
	case <-v.machine.arrived:
	case <-done:
		return true
	}
	return false
}

// told runs f unless the life is over.
func (v *powerLife) told(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.over {
		f()
	}
}

// process is what the program does.
func (v *powerLife) process(stop <-chan struct{}) {
	j := v.run.judge
	l, err := open(v.options, v.machine, time.Now)
	if err != nil {
		v.told(func() {
			if !v.machine.failed {
				j.complain("open fails on a disk that works: %v", err)
			}
		})
		return
	}
	v.log = l
	ctx, cancel := context.WithCancel(context.Background())
	v.told(func() { j.reopened(l, v.due()) })
	v.audit(ctx, v.last || v.random.IntN(2) == 0)
	var work sync.WaitGroup
	if v.last {
		v.proveItWorks()
	} else {
		for p := range 1 + v.random.IntN(3) {
			seed := v.random.Uint64()
			work.Go(func() { v.produce(ctx, p, rand.New(rand.NewPCG(seed, 2))) })
		}
		if v.random.IntN(4) > 0 {
			seed := v.random.Uint64()
			work.Go(func() { v.consume(ctx, rand.New(rand.NewPCG(seed, 3))) })
		}
	}
	<-stop
	if v.random.IntN(2) == 0 {
		cancel()
		work.Wait()
	}
	loose := j.appended()
	err = l.Close()
	v.told(func() {
		if err == nil {
			j.synced(loose)
		} else if v.steady && v.options.MaxBytes == 0 {
			j.complain("close fails on a disk that works: %v", err)
		}
	})
	cancel()
	work.Wait()
}

// due is when a record that is acknowledged now has to be on disk.
func (v *powerLife) due() time.Time {
	if v.options.SyncWithin == 0 || !v.steady || v.options.MaxBytes != 0 {
		return time.Time{}
	}
	return time.Now().Add(v.options.SyncWithin)
}

func (v *powerLife) acknowledged(r *powerRecord) {
	v.told(func() { v.run.judge.acknowledge(r, v.due(), v.options.SyncWithin == 0) })
}

// audit reads everything that is not committed.
func (v *powerLife) audit(ctx context.Context, sync bool) {
	l, j := v.log, v.run.judge
	if sync {
		loose := j.appended()
		if err := l.Sync(); err != nil {
			v.told(func() {
				if v.steady && v.options.MaxBytes == 0 {
					j.complain("sync fails on a disk that works: %v", err)
				}
			})
			sync = false
		} else {
			v.told(func() { j.synced(loose) })
		}
	}
	first, last := l.Committed()+1, l.Stats().Synced
	if first <= last {
		b, err := l.ReadRange(ctx, first, last)
		v.told(func() {
			if err != nil {
				j.complain("cannot read %d to %d: %v", first, last, err)
				return
			}
			j.batch(b)
			if st := l.Stats(); uint64(b.Missing) > st.Corrupt {
				j.complain("%d records are missing, %d are counted", b.Missing, st.Corrupt)
			}
		})
	}
	v.told(func() { j.complete(sync) })
	if st := l.Stats(); sync && st.Appended != st.Synced {
		v.told(func() { j.complain("appended is %d, synced %d, and nothing is under way", st.Appended, st.Synced) })
	}
}

// proveItWorks appends to each shard after all that happened.
func (v *powerLife) proveItWorks() {
	j := v.run.judge
	for shard := range uint32(v.options.Shards) {
		r, content := j.submit(v.number, int(shard), v.options.MaxRecordBytes)
		var err error
		for range 20 {
			if err = v.log.Append(shard, content); err == nil {
				break
			}
			time.Sleep(v.options.MaxWait)
		}
		v.told(func() {
			if err != nil {
				j.complain("the log does not take the largest record in shard %d: %v", shard, err)
			}
		})
		if err == nil {
			v.acknowledged(r)
		}
	}
}

// produce appends until ctx ends.
func (v *powerLife) produce(ctx context.Context, number int, random *rand.Rand) {
	l, j := v.log, v.run.judge
	for ctx.Err() == nil {
		think := time.Duration(1 + random.Int64N(20_000))
		if random.IntN(4) == 0 {
			think = time.Duration(1 + random.Int64N(int64(4*time.Millisecond)))
		}
		time.Sleep(think)
		if v.isOver() {
			return
		}
		size := func() int {
			if random.IntN(2) == 0 {
				return random.IntN(v.options.MaxRecordBytes + 1)
			}
			return random.IntN(40) % (v.options.MaxRecordBytes + 1)
		}
		switch random.IntN(12) {
		case 0:
			loose := j.appended()
			if err := l.Sync(); err == nil {
				v.told(func() { j.synced(loose) })
			}
		case 1:
			var all []*powerRecord
			var contents [][]byte
			for range random.IntN(6) {
				r, content := j.submit(v.number, number, size())
				all, contents = append(all, r), append(contents, content)
			}
			if !v.isOver() && l.AppendAll(uint32(number), contents) == nil {
				for _, r := range all {
					v.acknowledged(r)
				}
			}
		default:
			r, content := j.submit(v.number, number, size())
			if !v.isOver() && l.Append(uint32(number), content) == nil {
				v.acknowledged(r)
			}
		}
	}
}

// isOver is asked before each append. It also tells the race detector that what is stored into a ring comes behind what
// the simulation read of it while everybody slept.
func (v *powerLife) isOver() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over
}

// consume reads and commits until ctx ends.
func (v *powerLife) consume(ctx context.Context, random *rand.Rand) {
	l, j := v.log, v.run.judge
	for {
		time.Sleep(time.Duration(1 + random.Int64N(int64(3*time.Millisecond))))
		b, err := l.Next(ctx, 1+random.IntN(30), 1+random.IntN(4000))
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, ErrClosed) || v.isOver() {
				return
			}
			continue
		}
		last := b.Last
		v.told(func() { j.batch(b) })
		if random.IntN(3) == 0 {
			continue
		}
		v.told(func() { j.commits(last) })
		if l.Commit(last) == nil {
			v.told(func() { j.committedUpTo(last) })
		}
	}
}

// TestPowerLoss is the proof of what the package says of power loss.
func TestPowerLoss(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that a seed replays
	if *powerSeed >= 0 {
		o := runPower(t, uint64(*powerSeed), simFlaws{}, t.Output())
		t.Logf("%d records, %d seen, trace %x: %v", o.records, o.seen, o.sum, o.err)
		if o.err != nil {
			t.Fail()
		}
		return
	}
	var records, seen, failures int
	for seed := *powerFirst; seed < *powerFirst+*powerSeeds && failures < 10; seed++ {
		o := runPower(t, seed, simFlaws{}, nil)
		records, seen = records+o.records, seen+o.seen
		if o.err != nil {
			failures++
			t.Errorf("seed %d: %v (-powerloss.seed %d tells more)", seed, o.err, seed)
		}
	}
	t.Logf("%d records appended, %d of them read back", records, seen)
}

// The simulation is only worth something if it notices a disk that lies.
func TestPowerLossNoticesADiskThatLies(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, c := range []struct {
		name  string
		flaws simFlaws
	}{
		{"fsync does nothing", simFlaws{syncDoesNothing: true}},
		{"fsync forgets a sector", simFlaws{syncSkipsLastSector: true}},
		{"fsync of the cursor does nothing", simFlaws{cursorSyncDoesNothing: true}},
		{"fsync of a directory does nothing", simFlaws{syncDirDoesNothing: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const seeds = 300
			for seed := range uint64(seeds) {
				if o := runPower(t, seed, c.flaws, nil); o.err != nil {
					t.Logf("seed %d: %v", seed, o.err)
					return
				}
			}
			t.Errorf("nothing noticed in %d seeds", seeds)
		})
	}
}

func TestPowerLossReplays(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const seeds = powerSeedsByDefault / 50
	same := 0
	for seed := range uint64(seeds) {
		if a, b := runPower(t, seed, simFlaws{}, nil), runPower(t, seed, simFlaws{}, nil); a == b {
			same++
		}
	}
	if t.Logf("%d of %d seeds did exactly the same again", same, seeds); same < seeds*replaysInTen/10 {
		t.Error("too few for -powerloss.seed to be of use")
	}
}
