import CKernels
import Foundation
import Synchronization
import TensorCore
import Testing

/// Which kernels a process uses. The choice is the process's, so that each test makes it in a process of its own.
@Suite struct KernelChoiceTests {
    /// Every processor takes the way of those with a matrix unit: the first product makes `Device.backend`, which chooses
    /// kernels, which tries a unit. Initialisers that wait for each other would wait for ever; the alarm ends them.
    @Test func theTrialNeedsNoDevice() async {
        await #expect(processExitsWith: .success) {
            alarm(120)
            unsetenv("DIPTYCH_ISA")
            let unit = MatrixKernels.available.last!
            MatrixKernels.unitOnTrial.withLock { $0 = unit }
            let x = Tensor([1, 2, 3, 4] as [Float], [2, 2])
            precondition(x.matrixProduct(x).floats == [7, 10, 15, 22])
            precondition(MatrixKernels.current == unit, "\(MatrixKernels.current)")
        }
    }

    /// The same from the other ends of the knot: the choice itself, a backend made by hand, and oneDNN's limit.
    @Test func theTrialBeginsAnywhere() async {
        await #expect(processExitsWith: .success) {
            alarm(120)
            unsetenv("DIPTYCH_ISA")
            MatrixKernels.unitOnTrial.withLock { $0 = MatrixKernels.available.last! }
            precondition(MatrixKernels.available.contains(MatrixKernels.current))
        }
        await #expect(processExitsWith: .success) {
            alarm(120)
            unsetenv("DIPTYCH_ISA")
            MatrixKernels.unitOnTrial.withLock { $0 = MatrixKernels.available.last! }
            let x = Tensor([1, 2, 3, 4] as [Float], [2, 2])
            let product = CPUBackend(engine: .oneDNN).matrixProduct(x, x, bias: nil, dtype: .float32)
            precondition(product.floats == [7, 10, 15, 22])
        }
    }

    /// A processor that has the unit and is told nothing comes to a choice too, whichever it is.
    @Test func theDefaultIsChosen() async {
        await #expect(processExitsWith: .success) {
            alarm(120)
            unsetenv("DIPTYCH_ISA")
            let chosen = CPUBackend().matrixKernels
            let hasUnit = MatrixKernels.available.contains(.amx)
            precondition(chosen == MatrixKernels.available.last { hasUnit ? $0 <= .amx : $0 < .amx }, "\(chosen)")
        }
    }

    /// Each set of kernels passes the trial against the vectors below it, and a wrong number or none does not.
    @Test(arguments: MatrixKernels.available) func trials(kernels: MatrixKernels) {
        let trial = KernelTrial(of: kernels, against: MatrixKernels.available.last { $0 < .amx }!)
        #expect(trial.isPassed, "\(trial.differences)")
        #expect(trial.differences.count == 6)
        #expect(!(KernelTrial.difference([1, 2.06, 3], [1, 2, 3]) < KernelTrial.tolerance))
        #expect(KernelTrial.difference([1, .nan, 3], [1, 2, 9]).isNaN)
        #expect(!(KernelTrial.difference([.infinity, 1], [1, 1]) < KernelTrial.tolerance))
    }

    @Test func theEnvironmentChooses() async {
        let chosen = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            setenv("DIPTYCH_ISA", "scalar", 1)
            precondition(CPUBackend().name == "cpu (kernels, scalar)" && InstructionSet.current == .scalar)
            precondition(MatrixKernels.environmentFault == nil)
        }
        #expect(!Self.text(chosen).contains("DIPTYCH_ISA"), "\(Self.text(chosen))")
    }

    /// A wish that cannot be followed is said once, and the library goes on with its best.
    @Test func aWrongWishIsSaidOnce() async {
        let wrong = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            setenv("DIPTYCH_ISA", "avx3", 1)
            precondition(InstructionSet.current == .best)
            precondition(MatrixKernels.current == CPUBackend().matrixKernels)
            precondition(MatrixKernels.environmentFault?.hasSuffix("found 'avx3'") == true)
        }
        let complaint = Self.text(wrong)
        #expect(complaint.components(separatedBy: "DIPTYCH_ISA: expected one of scalar").count == 2, "\(complaint)")
    }

    @Test func everyCheckOfTheDoctorPasses() async {
        await #expect(processExitsWith: .success) {
            let checks = KernelCheck.all()
            for check in checks { precondition(check.isPassed, "\(check)") }
            precondition(checks.count >= MatrixKernels.available.count + InstructionSet.available.count)
        }
    }

    private static func text(_ result: ExitTest.Result?) -> String {
        String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    }
}
