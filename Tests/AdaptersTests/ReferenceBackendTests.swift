import TensorCore
import TestSupport
import Testing

/// Adapters, their gradients and whole training steps on ``ReferenceBackend``, with the tolerances of the CPU.
@Suite struct ReferenceBackendTests {
    private func onReference<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Device.withBackend(ReferenceBackend(), body)
    }

    @Test(arguments: MixtureTests.cases) func mixtures(_ given: MixtureTests.Case) throws {
        try onReference {
            try MixtureTests().equalsTheSumOverExperts(given)
            try MixtureTests().gradientsFollowFiniteDifferences(given)
        }
    }

    @Test func routing() throws {
        try onReference {
            try MixtureTests().upstreamGateTeachesTheRouterNothing()
            try MixtureTests().expertsThatAreNotChosenGetNoGradient()
            try MixtureTests().bfloat16InputsAreRoutedInFloat32()
        }
    }

    @Test func sets() throws {
        try onReference {
            try AdapterSetTests().freshAdaptersChangeNoBit()
            try AdapterSetTests().strengthScales()
            try AdapterSetTests().removalRestoresTheBase()
            try AdapterSetTests().pooledTextMovesTheRouting()
            try AdapterSetTests().checkpointsRestoreParameters()
            try AdapterSetTests().severalSetsAdd()
        }
    }

    @Test(arguments: TrainingParityTests.cases, [false, true])
    func firstStep(_ given: TrainingParityTests.Case, usesCheckpoints: Bool) throws {
        try onReference { try TrainingParityTests().firstStep(given, usesCheckpoints: usesCheckpoints) }
    }

    @Test(arguments: TrainingParityTests.cases, ["adamw", "prodigy"])
    func sixSteps(_ given: TrainingParityTests.Case, optimizer: String) throws {
        try onReference { try TrainingParityTests().sixSteps(given, optimizer) }
    }

    @Test func sixStepsInBFloat16() throws {
        try onReference { try TrainingParityTests().bfloat16StaysNear(TrainingParityTests.cases[1], "adamw") }
    }
}
