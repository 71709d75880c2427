import Foundation
import TensorCore

/// The times of some runs of one step.
struct TimedRuns {
    /// Sorted.
    private let seconds: [Double]

    /// Runs `step` `count` times; with `profile` its phases and primitives are recorded there.
    init(_ count: Int, profile: Profile?, _ step: () -> Void) {
        MemoryAccount.resetPeak()
        var seconds: [Double] = []
        func run() {
            for _ in 0..<count {
                let begin = ContinuousClock.now
                step()
                seconds.append(begin.duration(to: .now) / .seconds(1))
            }
        }
        if let profile { profile.record(run) } else { run() }
        self.seconds = seconds.sorted()
    }

    var total: Double { seconds.reduce(0, +) }
    var median: Double { seconds[seconds.count / 2] }

    /// The fields that every benchmark of steps prints, for a step of so many floating-point operations.
    func figures(operations: Double) -> [(String, String)] {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [
            ("threads", "\(Threads.count)"), ("ms", Self.figure(median * 1e3)),
            ("ms_min", Self.figure(seconds[0] * 1e3)),
            ("ms_max", Self.figure(seconds[seconds.count - 1] * 1e3)), ("gflop", Self.figure(operations / 1e9)),
            ("gflops", Self.figure(operations / median / 1e9)),
            ("tensors_peak_mb", "\(MemoryAccount.peakBytes >> 20)"), ("peak_rss_mb", "\(usage.ru_maxrss / 1024)"),
            ("minor_faults", "\(usage.ru_minflt)"),
        ]
    }

    /// One JSON object in a line.
    static func printLine(_ figures: [(String, String)]) {
        print("{" + figures.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}")
    }

    static func figure(_ value: Double) -> String { String(format: "%.1f", value) }
}
