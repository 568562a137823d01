// A fixed number of workers share one channel of jobs and one of results.
#include <pirn/pirn.h>

#include <cstdio>

namespace {

constexpr int k_workers = 4;
constexpr int k_jobs = 100;

}  // namespace

int main() {
  return pirn::run([] {
    pirn::chan<int> jobs;
    pirn::chan<int> results(k_workers);

    pirn::wait_group workers;
    for (int i = 0; i < k_workers; ++i) {
      workers.go([jobs, results] {
        for (int job : jobs) results.send(job * job);
      });
    }
    pirn::go([jobs] {
      for (int job = 1; job <= k_jobs; ++job) jobs.send(job);
      jobs.close();  // ends the workers' loops
    });
    pirn::go([&workers, results] {
      workers.wait();
      results.close();  // ends the loop below; no worker can still send
    });

    int sum = 0;
    for (int result : results) sum += result;
    std::printf("sum of the squares up to %d: %d\n", k_jobs, sum);
  });
}
