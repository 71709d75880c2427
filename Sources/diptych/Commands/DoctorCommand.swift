import ArgumentParser
import Foundation
import TensorCore
import TensorIO

/// `diptych doctor`
struct DoctorCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what this machine is and can do, and runs each set of kernels against its oracle.",
        discussion: """
            It prints the processor, the instruction sets and which are used, the processors and the memory that the process \
            may use, limits, versions of libraries and the environment variables that the program and its libraries read. The \
            status is 1 when kernels compute something else than their oracle.
            """,
        examples: [
            CommandExample("this machine", "diptych doctor"),
            CommandExample("with older kernels", "DIPTYCH_ISA=avx2 diptych doctor"),
            CommandExample("on one processor", "taskset -c 0 diptych doctor"),
        ])

    @OptionGroup var common: CommonOptions

    func run() throws {
        let report = MachineReport()
        for section in report.sections { print(Self.lines(of: section).joined(separator: "\n")) }
        fflush(nil)
        let checks = KernelCheck.all()
        print("kernels       largest relative difference from the oracle")
        for check in checks {
            let name = check.kernels.padding(toLength: max(24, check.kernels.count), withPad: " ", startingAt: 0)
            let verdict = check.isPassed ? "ok   " : "WRONG"
            print("  \(verdict)  \(name)  \(String(format: "%.1e", check.difference))  \(check.subject)")
        }
        let wrong = checks.filter { !$0.isPassed }
        guard wrong.isEmpty else {
            throw FileError(
                "kernels", key: wrong.map(\.kernels).joined(separator: ", "), expected: "what the oracle computes",
                found: "other numbers; DIPTYCH_ISA chooses other kernels")
        }
    }

    /// The title in front of the first line, the others below it.
    private static func lines(of section: MachineReport.Section) -> [String] {
        section.lines.enumerated().map { index, line in
            (index == 0 ? section.title : "").padding(toLength: 14, withPad: " ", startingAt: 0) + line
        }
    }
}
