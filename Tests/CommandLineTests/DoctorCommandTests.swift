import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct DoctorCommandTests {
    @Test func theReportIsWhole() throws {
        let result = try Program.run(["doctor"], environment: ["DIPTYCH_ISA": "scalar"])
        #expect(result.status == 0, "\(result.error)")
        for title in [
            "program", "processor", "instructions", "memory", "limits", "libraries", "environment", "kernels",
        ] {
            #expect(result.output.contains("\n\(title)") || result.output.hasPrefix(title), "\(title)")
        }
        #expect(result.output.contains("in use: scalar for products and attention, scalar for all else"))
        #expect(result.output.contains("DIPTYCH_ISA         scalar"))
        #expect(result.output.contains("HDF5 1.") && result.output.contains("oneDNN \(OneDNN.version)"))
        #expect(!result.output.contains("WRONG"))
        for set in MatrixKernels.available { #expect(result.output.contains("  ok     \(set.rawValue) "), "\(set)") }
    }

    /// One line and status 2, whatever the command; nothing is done.
    @Test func aWrongInstructionSetIsRefused() throws {
        for arguments in [["doctor"], ["config"]] {
            let result = try Program.run(arguments, environment: ["DIPTYCH_ISA": "avx3"])
            #expect(result.status == 2 && result.output.isEmpty)
            #expect(result.error.hasPrefix("error: DIPTYCH_ISA: expected one of scalar"), "\(result.error)")
            #expect(result.error.hasSuffix("found 'avx3'\n") && result.error.filter { $0 == "\n" }.count == 1)
        }
        #expect(try Program.run(["--help"], environment: ["DIPTYCH_ISA": "avx3"]).status == 0)
    }

    /// Threads are made for the processors that the process may use.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/taskset")))
    func threadsFollowTheAffinity()
        throws
    {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let list = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
        let first = try #require(list.split { !$0.isNumber }.first)
        let result = try Program.run(["doctor"], launcher: ["/usr/bin/taskset", "-c", String(first)])
        #expect(
            result.output.contains("threads used: 1; the process may run on 1 of the processors"), "\(result.output)")
    }
}
