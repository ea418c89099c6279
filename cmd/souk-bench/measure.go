package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var errLimit = errors.New("the time limit of --duration is over")

// measure runs the whole measurement. An error means that it could not begin.
func measure(ctx context.Context, cfg config) (*report, error) {
	m := &meter{masterPID: cfg.MasterPID}
	if err := m.start(); err != nil {
		return nil, err
	}
	cfg.absence = newAbsence()
	defer cfg.detect()()
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Limit, errLimit)
	defer cancel()
	// Agents leave last: the frameworks' ends are part of the measurement.
	clusterCtx, leave := context.WithCancel(ctx)
	var members sync.WaitGroup
	defer members.Wait()
	defer leave()

	problems := &problems{}
	r := &report{cfg: cfg, problems: problems, Master: cfg.Master}
	began := time.Now()
	if err := startAgents(clusterCtx, &cfg, &members, problems.add); err != nil {
		problems.add(err)
	}
	r.Agents = agentsReport{Simulated: cfg.Agents, RegisterSeconds: since(began)}
	if ctx.Err() == nil {
		m.lap()
		frameworks := runFrameworks(ctx, &cfg, problems)
		if err := m.stop(); err != nil {
			problems.add(err)
		}
		r.summarize(frameworks, m)
		if cfg.Failover != "" {
			r.Failover = cfg.absence.report()
		}
	}
	if ctx.Err() != nil {
		problems.add(context.Cause(ctx))
	}
	r.Errors, r.ErrorCount = problems.list()
	return r, nil
}

func runFrameworks(ctx context.Context, cfg *config, problems *problems) []*framework {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	all := make([]*framework, cfg.Frameworks)
	var running sync.WaitGroup
	for n := range all {
		f := newFramework(cfg, n, problems.add)
		all[n] = f
		running.Go(func() {
			if err := f.run(ctx); err != nil && ctx.Err() == nil {
				problems.add(err)
			}
		})
	}
	if cfg.Failover != "" {
		running.Go(func() {
			defer leave(nil)
			for _, f := range all {
				select {
				case <-f.done:
				case <-ctx.Done():
					return
				}
			}
			if err := failOver(ctx, cfg); err != nil {
				problems.add(err)
			}
		})
	}
	running.Wait()
	return all
}

// A meter reads the CPU time that both sides use while frameworks run.
type meter struct {
	masterPID               int
	benchAt, masterAt       time.Duration
	benchSpent, masterSpent time.Duration
	benchTotal, masterTotal time.Duration
	benchBegan, masterBegan time.Duration
}

func (m *meter) start() (err error) {
	m.benchBegan = ownCPU()
	m.masterBegan, err = m.masterCPU()
	return err
}

// lap begins the part that counts as the frameworks'.
func (m *meter) lap() {
	m.benchAt = ownCPU()
	m.masterAt, _ = m.masterCPU()
}

func (m *meter) stop() error {
	own := ownCPU()
	master, err := m.masterCPU()
	m.benchSpent, m.benchTotal = own-m.benchAt, own-m.benchBegan
	m.masterSpent, m.masterTotal = master-m.masterAt, master-m.masterBegan
	return err
}

// ownCPU is the CPU time of this process: simulated agents and frameworks.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ticks per second in /proc, the same on every Linux that Go runs on.
const ticks = 100

// masterCPU reads the CPU time of the master's process; 0 if it is not measured.
func (m *meter) masterCPU() (time.Duration, error) {
	if m.masterPID == 0 {
		return 0, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.masterPID))
	if err != nil {
		return 0, fmt.Errorf("flag --master-pid: no process %d to read in /proc", m.masterPID)
	}
	return parseStat(text)
}

// parseStat finds utime and stime, the 14th and 15th field. The 2nd is a name
// in brackets that may hold anything.
func parseStat(text []byte) (time.Duration, error) {
	i := bytes.LastIndexByte(text, ')')
	fields := bytes.Fields(text[i+1:])
	if i < 0 || len(fields) < 13 {
		return 0, errors.New("flag --master-pid: /proc/PID/stat is not of a known form")
	}
	total := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			return 0, fmt.Errorf("flag --master-pid: /proc/PID/stat: %w", err)
		}
		total += n
	}
	return time.Duration(total) * time.Second / ticks, nil
}

func since(t time.Time) float64 { return rounded(time.Since(t).Seconds()) }

// rounded keeps three decimals: more would be noise.
func rounded(v float64) float64 {
	return float64(int64(v*1000+0.5)) / 1000
}
