package measure

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Threads says how many threads this process has.
func Threads() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		Fail(err.Error())
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "Threads:") {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "Threads:")))
			if err != nil {
				Fail(err.Error())
			}
			return n
		}
	}
	Fail("no Threads: in /proc/self/status")
	return 0
}

// ThreadWatch looks at the number of threads every millisecond, until the program ends.
type ThreadWatch struct {
	mu          sync.Mutex
	least, most int
}

// WatchThreads begins to watch.
func WatchThreads() *ThreadWatch {
	w := &ThreadWatch{}
	w.Restart()
	go func() {
		for range time.Tick(time.Millisecond) {
			now := Threads()
			w.mu.Lock()
			if now < w.least {
				w.least = now
			}
			if now > w.most {
				w.most = now
			}
			w.mu.Unlock()
		}
	}()
	return w
}

// Restart forgets what was seen so far.
func (w *ThreadWatch) Restart() {
	now := Threads()
	w.mu.Lock()
	w.least, w.most = now, now
	w.mu.Unlock()
}

// Seen says the fewest and the most.
func (w *ThreadWatch) Seen() (least, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.least, w.most
}
